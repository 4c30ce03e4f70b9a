//! `scheduled-checks`: finds incidents that nobody reports, and runs that are overdue. It looks at targets and changes none.

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    let function = heal_lambda::Function::start("scheduled-checks").await?;
    let prober = function.clients().await?.prober();
    function.check(prober).await
}
