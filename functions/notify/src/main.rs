//! `notify`: tells people what happened, by the channels and routes that the stack is deployed with. It reads runs and changes none.

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    heal_lambda::Function::start("notify").await?.tell().await
}
