//! Sends before it writes.

use std::sync::Arc;

use async_trait::async_trait;
use heal_runtime::port::{
    Admitted, Append, Created, InOrder, NewRun, Result, RunLog, Sender, Settlement, Settles, Written,
};

/// The steps of [`InOrder`], in the wrong order.
pub struct Hasty {
    pub runs: Arc<dyn RunLog>,
    pub sender: Arc<dyn Sender>,
}

impl Hasty {
    async fn send(&self, settles: Settles) -> Result<InOrder> {
        self.sender.send(settles.messages).await?;
        Ok(InOrder { runs: self.runs.clone(), sender: self.sender.clone() })
    }
}

#[async_trait]
impl Settlement for Hasty {
    async fn create(&self, run: &NewRun, settles: Settles) -> Result<Written<Created>> {
        self.send(settles).await?.create(run, Settles::default()).await
    }

    async fn append(&self, append: Append<'_>, settles: Settles) -> Result<Written<Admitted>> {
        self.send(settles).await?.append(append, Settles::default()).await
    }
}
