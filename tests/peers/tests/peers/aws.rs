//! A peer in the place of AWS: Secrets Manager by the SDK, and EKS by a signed request of our own.

use std::sync::Arc;

use heal_aws::eks::{self, ClusterName};
use heal_aws::{AwsOverrides, Keys, Session, secrets};
use heal_peers::acts::acts;
use heal_peers::hostile::Hostile;
use heal_peers::ordeal::{Outcome, undergo};

async fn session(server: &Hostile) -> Session {
    let keys = Keys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: None,
        expires_at: None,
    };
    let endpoint_url = Some(format!("http://{}", server.addr));
    let given = AwsOverrides { region: Some("eu-central-1".to_owned()), keys: Some(keys), endpoint_url };
    Session::load(given).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aws_that_does_harm_holds_up_nothing() {
    for (name, act) in acts() {
        undergo(&format!("aws: {name}"), act.clone(), Outcome::Failure, async |server: &Hostile| {
            let client = secrets::Client::new(&session(server).await).unwrap();
            move |time| {
                let client = client.clone();
                async move {
                    let read =
                        tokio::time::timeout(time, client.read("name")).await.map_err(|error| error.to_string())?;
                    read.map(drop).map_err(|error| error.to_string())
                }
            }
        })
        .await;
        undergo(&format!("eks: {name}"), act, Outcome::Failure, async |server: &Hostile| {
            let session = Arc::new(session(server).await);
            move |time| {
                let session = Arc::clone(&session);
                async move {
                    let name = ClusterName::parse("prod-1").unwrap();
                    let read = tokio::time::timeout(time, eks::describe(&session, &name)).await;
                    read.map_err(|error| error.to_string())?.map(drop).map_err(|error| error.to_string())
                }
            }
        })
        .await;
    }
}
