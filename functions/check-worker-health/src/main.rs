//! `check-worker-health`: reads whether a worker's pod is healthy.

use heal_check_worker_health::CheckWorkerHealth;

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = heal_lambda::Function::start("check-worker-health").await?;
    let clients = function.clients().await?;
    let action = CheckWorkerHealth::new(clients.kubernetes().await?, heal_lambda::clock());
    function.perform(action, clients.policy()?).await
}
