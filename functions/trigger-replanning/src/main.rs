//! `trigger-replanning`: asks the orchestrator to plan a workflow again.

use heal_trigger_replanning::TriggerReplanning;

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = heal_lambda::Function::start("trigger-replanning").await?;
    let clients = function.clients().await?;
    let action = TriggerReplanning::new(clients.orchestrator()?, heal_lambda::clock());
    function.perform(action, clients.policy()?).await
}
