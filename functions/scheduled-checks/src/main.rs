//! `scheduled-checks`: detects incidents that no producer reports, and overdue runs. It reads targets and changes none.

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    let function = heal_lambda::Function::start("scheduled-checks").await?;
    let prober = function.clients().await?.prober();
    function.check(prober).await
}
