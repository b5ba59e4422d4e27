//! One call to EC2 or to its load balancers: its turn in the account's bucket, and for reads a few tries.

use std::error::Error as StdError;
use std::future::Future;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_elasticloadbalancingv2::Client as ElbClient;
use muster_engine::failure::Certainty;
use tokio::time::sleep;

use crate::Ec2Driver;
use crate::failure::{CallError, classify};
use crate::limiter::Class;

/// So often a read is tried before its failure is told. A change is tried once: whether again is the planner's decision.
const READ_TRIES: u32 = 4;

impl Ec2Driver {
    /// Asks EC2 something.
    pub(crate) async fn read<T, E, F>(&self, what: &str, call: impl Fn(Client) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let ec2 = self.clients().await.ec2;
        self.ask(what, || call(ec2.clone())).await
    }

    /// Makes, changes or removes something at EC2, once.
    pub(crate) async fn change<T, E, F>(&self, what: &str, call: impl Fn(Client) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let ec2 = self.clients().await.ec2;
        self.try_once(what, || call(ec2.clone())).await
    }

    /// Asks something about load balancers.
    pub(crate) async fn read_elb<T, E, F>(&self, what: &str, call: impl Fn(ElbClient) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let elb = self.clients().await.elb;
        self.ask(what, || call(elb.clone())).await
    }

    /// Makes, changes or removes something of load balancers, once.
    pub(crate) async fn change_elb<T, E, F>(&self, what: &str, call: impl Fn(ElbClient) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let elb = self.clients().await.elb;
        self.try_once(what, || call(elb.clone())).await
    }

    /// A failure that may pass is tried again, with the pause that the account's pace asks for.
    async fn ask<T, E, F>(&self, what: &str, call: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let mut tries = 1;
        loop {
            let error = match self.once(Class::Read, what, &call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let may_pass = error.is_throttling() || error.failure.certainty == Certainty::MaybeApplied;
            if !may_pass || tries == READ_TRIES {
                return Err(CallError { failure: error.failure.of_reading(), ..error });
            }
            tries += 1;
            sleep(self.limiter.patience(Class::Read)).await;
        }
    }

    async fn try_once<T, E, F>(&self, what: &str, call: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let mut answer = self.once(Class::Change, what, &call).await;
        if let Err(error) = &mut answer
            && error.is_throttling()
        {
            error.failure.retry_after = Some(self.limiter.patience(Class::Change));
        }
        answer
    }

    async fn once<T, E, F>(&self, class: Class, what: &str, call: &impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        self.limiter.turn(class).await;
        match call().await {
            Ok(answer) => {
                self.limiter.went_well(class);
                Ok(answer)
            }
            Err(error) => {
                let error = classify(what, &error);
                if error.is_throttling() {
                    self.limiter.throttled(class);
                }
                tracing::debug!(what, code = error.code, failure = %error.failure, "a call to EC2 failed");
                Err(error)
            }
        }
    }
}
