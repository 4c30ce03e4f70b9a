//! `update-ticket-status`: sets a ticket's status.

use update_ticket_status::UpdateTicketStatus;

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = lambda::Function::start("update-ticket-status").await?;
    let clients = function.clients().await?;
    let action = UpdateTicketStatus::new(clients.tickets()?, lambda::clock());
    function.perform(action, clients.policy()?).await
}
