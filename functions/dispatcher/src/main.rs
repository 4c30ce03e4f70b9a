//! `dispatcher`: takes incidents and results, keeps the runs, and sends what they owe. It touches no target.

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::Function::start("dispatcher").await?.dispatch().await
}
