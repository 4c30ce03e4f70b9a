//! `update-ticket-status`: sets a ticket's status.

use heal_update_ticket_status::UpdateTicketStatus;

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = heal_lambda::Function::start("update-ticket-status").await?;
    let clients = function.clients().await?;
    let action = UpdateTicketStatus::new(clients.tickets()?, heal_lambda::clock());
    function.perform(action, clients.policy()?).await
}
