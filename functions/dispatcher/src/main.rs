//! `dispatcher`: takes incidents and results, keeps the runs, and sends what they owe. It touches no target.

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    heal_lambda::Function::start("dispatcher").await?.dispatch().await
}
