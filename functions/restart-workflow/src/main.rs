//! `restart-workflow`: resumes a paused workflow.

use restart_workflow::RestartWorkflow;

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = lambda::Function::start("restart-workflow").await?;
    let clients = function.clients().await?;
    let action = RestartWorkflow::new(clients.orchestrator()?, lambda::clock());
    function.perform(action, clients.policy()?).await
}
