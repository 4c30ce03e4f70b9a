//! `get-workflow-status`: reads the state of a workflow.

use heal_get_workflow_status::GetWorkflowStatus;

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = heal_lambda::Function::start("get-workflow-status").await?;
    let clients = function.clients().await?;
    let action = GetWorkflowStatus::new(clients.orchestrator()?, heal_lambda::clock());
    function.perform(action, clients.policy()?).await
}
