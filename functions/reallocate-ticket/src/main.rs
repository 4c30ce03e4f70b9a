//! `reallocate-ticket`: returns tickets to the queue.

use heal_reallocate_ticket::ReallocateTicket;

#[tokio::main]
async fn main() -> Result<(), heal_lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = heal_lambda::Function::start("reallocate-ticket").await?;
    let clients = function.clients().await?;
    let action = ReallocateTicket::new(clients.tickets()?, heal_lambda::clock());
    function.perform(action, clients.policy()?).await
}
