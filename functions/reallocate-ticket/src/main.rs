//! `reallocate-ticket`: gives tickets back to the queue.

use reallocate_ticket::ReallocateTicket;

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    // Whatever is wrong with the configuration is wrong here, before the first message.
    let function = lambda::Function::start("reallocate-ticket").await?;
    let clients = function.clients().await?;
    let action = ReallocateTicket::new(clients.tickets()?, lambda::clock());
    function.perform(action, clients.policy()?).await
}
