//! `pause-workflow`: pauses one running workflow through the orchestrator.

use heal_pause_workflow::PauseWorkflow;

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = heal_lambda::Function::start("pause-workflow").await?;
    let clients = function.clients().await?;
    let action = PauseWorkflow::new(clients.orchestrator()?, heal_lambda::clock());
    function.perform(action, clients.policy()?).await
}
