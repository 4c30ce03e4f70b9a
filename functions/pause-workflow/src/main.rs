//! `pause-workflow`: pauses one running workflow through the orchestrator.

use pause_workflow::PauseWorkflow;

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = lambda::Function::start("pause-workflow").await?;
    let clients = function.clients().await?;
    let action = PauseWorkflow::new(clients.orchestrator()?, lambda::clock());
    function.perform(action, clients.policy()?).await
}
