//! `restart-workflow`: resumes a paused workflow.

use heal_restart_workflow::RestartWorkflow;

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = heal_lambda::Function::start("restart-workflow").await?;
    let clients = function.clients().await?;
    let action = RestartWorkflow::new(clients.orchestrator()?, heal_lambda::clock());
    function.perform(action, clients.policy()?).await
}
