//! `trigger-replanning`: has a plan made anew.

use trigger_replanning::TriggerReplanning;

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = lambda::Function::start("trigger-replanning").await?;
    let clients = function.clients().await?;
    let action = TriggerReplanning::new(clients.orchestrator()?, lambda::clock());
    function.perform(action, clients.policy()?).await
}
