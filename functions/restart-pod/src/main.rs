//! `restart-pod`: replaces a worker's pod.

use heal_restart_pod::RestartPod;

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = heal_lambda::Function::start("restart-pod").await?;
    let clients = function.clients().await?;
    let action = RestartPod::new(clients.kubernetes().await?, heal_lambda::clock());
    function.perform(action, clients.policy()?).await
}
