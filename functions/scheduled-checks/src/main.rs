//! `scheduled-checks`: finds incidents that nobody reports, and runs that are overdue. It looks at targets and changes none.

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    let function = lambda::Function::start("scheduled-checks").await?;
    let prober = function.clients().await?.prober();
    function.check(prober).await
}
