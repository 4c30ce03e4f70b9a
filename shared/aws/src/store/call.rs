//! The DynamoDB calls of the ports, and what each of their errors means.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use heal_runtime::port::{BackendError, Result};

use super::Store;
use super::item::{Attributes, Fields, Item, Key};
use crate::error::Error;
use crate::limit::{CONTENTION_PAUSE_MS, CONTENTION_TRIES, ROW_BYTES};

/// The outcome of a conditional write.
#[derive(Debug)]
pub(super) enum Written {
    /// Written. The row after an update; empty after a put or delete.
    Done(Attributes),
    /// The condition did not hold. The row as it is; `None` if there is no row.
    Refused(Option<Attributes>),
}

/// The outcome of a transaction.
#[derive(Debug)]
pub(super) enum Committed {
    /// All writes are done.
    Done,
    /// No write is done. One entry per write of the transaction.
    Cancelled(Vec<CancellationReason>),
}

/// A change of one row.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub key: Key,
    pub update: &'static str,
    pub condition: &'static str,
    /// `:name` values of both expressions.
    pub values: Item,
}

const OLD: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;

impl Store {
    /// A strongly consistent query of one partition.
    pub(super) fn query(&self, partition: String) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&*self.table).key_condition_expression("pk = :pk");
        query.expression_attribute_values(":pk", AttributeValue::S(partition)).consistent_read(true)
    }

    /// Every row that `query` finds, as `read` reads it.
    pub(super) async fn read_all<T>(
        &self,
        operation: &'static str,
        query: QueryFluentBuilder,
        read: impl Fn(&Fields) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let call = query.clone().set_exclusive_start_key(from);
            let page = Box::pin(call.send()).await.map_err(|error| wrap_sdk_error(operation, &error))?;
            for row in page.items() {
                found.push(read(&Fields::read(operation, row)?)?);
            }
            if page.last_evaluated_key.is_none() {
                return Ok(found);
            }
            from = page.last_evaluated_key;
        }
    }

    /// Writes the whole row if `condition` holds; `values` are the condition's.
    pub(super) async fn put(
        &self,
        operation: &'static str,
        item: Item,
        condition: &'static str,
        values: Item,
    ) -> Result<Written> {
        check_size(operation, &item)?;
        let call = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(item.into())
            .condition_expression(condition)
            .set_expression_attribute_values(some(values))
            .return_values_on_condition_check_failure(OLD);
        match Box::pin(call.send()).await {
            Ok(_) => Ok(Written::Done(Attributes::new())),
            Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
                let PutItemError::ConditionalCheckFailedException(failed) = refused.into_err() else {
                    return Err(contended(operation));
                };
                Ok(Written::Refused(failed.item))
            }
            Err(error) => Err(wrap_sdk_error(operation, &error)),
        }
    }

    /// Updates the row, and returns it as it is afterwards.
    pub(super) async fn update(&self, operation: &'static str, change: Change) -> Result<Written> {
        let call = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(change.key.attributes()))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_values(some(change.values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OLD);
        match Box::pin(call.send()).await {
            Ok(changed) => Ok(Written::Done(changed.attributes.unwrap_or_default())),
            Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
                let UpdateItemError::ConditionalCheckFailedException(failed) = refused.into_err() else {
                    return Err(contended(operation));
                };
                Ok(Written::Refused(failed.item))
            }
            Err(error) => Err(wrap_sdk_error(operation, &error)),
        }
    }

    /// Deletes the row if `condition` holds.
    pub(super) async fn delete(
        &self,
        operation: &'static str,
        key: &Key,
        condition: &'static str,
        values: Item,
    ) -> Result<Written> {
        let call = self
            .client
            .delete_item()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .condition_expression(condition)
            .set_expression_attribute_values(some(values))
            .return_values_on_condition_check_failure(OLD);
        match Box::pin(call.send()).await {
            Ok(_) => Ok(Written::Done(Attributes::new())),
            Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
                let DeleteItemError::ConditionalCheckFailedException(failed) = refused.into_err() else {
                    return Err(contended(operation));
                };
                Ok(Written::Refused(failed.item))
            }
            Err(error) => Err(wrap_sdk_error(operation, &error)),
        }
    }

    /// Makes all writes or none. The SDK sends an idempotency token, so DynamoDB recognises a retry for ten minutes.
    pub(super) async fn transact(&self, operation: &'static str, writes: Vec<TransactWriteItem>) -> Result<Committed> {
        let call = self.client.transact_write_items().set_transact_items(Some(writes));
        match Box::pin(call.send()).await {
            Ok(_) => Ok(Committed::Done),
            Err(SdkError::ServiceError(refused)) if refused.err().is_transaction_canceled_exception() => {
                let TransactWriteItemsError::TransactionCanceledException(cancelled) = refused.into_err() else {
                    return Err(contended(operation));
                };
                Ok(Committed::Cancelled(cancelled.cancellation_reasons.unwrap_or_default()))
            }
            Err(error) => Err(wrap_sdk_error(operation, &error)),
        }
    }

    /// Reads the row, strongly consistent.
    pub(super) async fn get(&self, operation: &'static str, key: &Key) -> Result<Option<Attributes>> {
        self.get_by(operation, key, true).await
    }

    /// Reads the row for half the price, as it was a moment ago: for a caller whose next write decides.
    pub(super) async fn glance(&self, operation: &'static str, key: &Key) -> Result<Option<Attributes>> {
        self.get_by(operation, key, false).await
    }

    async fn get_by(&self, operation: &'static str, key: &Key, is_consistent: bool) -> Result<Option<Attributes>> {
        let call = self.client.get_item().table_name(&*self.table).set_key(Some(key.attributes()));
        let call = call.consistent_read(is_consistent);
        let found = Box::pin(call.send()).await.map_err(|error| wrap_sdk_error(operation, &error))?;
        Ok(found.item)
    }
}

/// DynamoDB refuses an empty map of values.
fn some(values: Item) -> Option<Attributes> {
    let values: Attributes = values.into();
    (!values.is_empty()).then_some(values)
}

/// Refuses a row over DynamoDB's limit, with its size.
pub(super) fn check_size(operation: &'static str, item: &Item) -> Result<()> {
    let observed_bytes = item.bytes();
    if observed_bytes > ROW_BYTES {
        return Err(BackendError::TooLarge { operation, what: "row", observed_bytes, limit_bytes: ROW_BYTES });
    }
    Ok(())
}

/// The port's error of a failed call.
pub(super) fn wrap_sdk_error<E>(operation: &'static str, error: &SdkError<E>) -> BackendError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    BackendError::unavailable(operation, Error::from_sdk("table".to_owned(), error))
}

/// Other writers changed the same rows at every try.
pub(super) fn contended(operation: &'static str) -> BackendError {
    BackendError::unavailable(
        operation,
        format!("other writers changed the same rows at each of {CONTENTION_TRIES} tries"),
    )
}

/// Sleeps before the next try: exponential backoff with full jitter.
#[expect(clippy::disallowed_methods, reason = "jitter needs no seed")]
pub(super) async fn pause(tried: u32) {
    let longest = CONTENTION_PAUSE_MS.min(5 << tried.min(10));
    let mut random = [0; 8];
    // Without a random number there is no jitter, and the number of tries still bounds the retries.
    let _ = getrandom::fill(&mut random);
    tokio::time::sleep(Duration::from_millis(u64::from_ne_bytes(random) % longest.max(1))).await;
}
