//! How an answer of EC2, or its absence, becomes a [`Failure`].
//!
//! EC2 models no errors: every refusal is a code word in text. The codes are those of the API reference's page "Error
//! codes for the Amazon EC2 API".

use std::error::Error as StdError;
use std::io;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

/// A call that failed, with the code by which callers decide.
#[derive(Debug)]
pub(crate) struct CallError {
    /// EC2's own code; empty if there was no answer.
    pub(crate) code: String,
    /// What it means for the caller of the driver.
    pub(crate) failure: Failure,
}

impl CallError {
    /// Whether EC2 has answered with this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether the thing that the call names is not there (or not yet).
    pub(crate) fn is_not_found(&self) -> bool {
        // EC2's have a dot, those of load balancers have none.
        self.code.ends_with("NotFound") || self.code.ends_with(".Unknown")
    }

    /// Whether the account may not ask this, or the cloud has no such call.
    pub(crate) fn is_of_a_call_that_is_not_there(&self) -> bool {
        self.is_denied() || NO_SUCH_CALL.contains(&self.code.as_str())
    }

    /// Whether the account lacks the permission.
    pub(crate) fn is_denied(&self) -> bool {
        DENIED.contains(&self.code.as_str())
    }

    /// Whether EC2 asks for patience.
    pub(crate) fn is_throttling(&self) -> bool {
        self.failure.code == ErrorCode::Throttled
    }

    /// Whether this zone has no such machine at present, though another may have one.
    pub(crate) fn is_want_of_capacity(&self) -> bool {
        CAPACITY.contains(&self.code.as_str())
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        error.failure
    }
}

const CAPACITY: [&str; 3] = ["InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity"];

const DENIED: [&str; 3] = ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"];
const NO_SUCH_CALL: [&str; 3] = ["InvalidAction", "UnknownOperationException", "NotImplemented"];

/// What a failed call means. `what` says what it was for: `create the VPC`.
pub(crate) fn classify<E>(what: &str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let request_id = error.request_id().map(str::to_owned);
    let (code, failure) = match error {
        SdkError::ConstructionFailure(_) => (String::new(), never_sent(what, error)),
        SdkError::TimeoutError(_) => {
            let message = format!("{what}: EC2 did not answer in time");
            (String::new(), Failure::maybe_applied(ErrorCode::Unreachable, message))
        }
        SdkError::DispatchFailure(_) => (String::new(), no_connection(what, error)),
        SdkError::ResponseError(_) => {
            let message = format!("{what}: EC2's answer broke off or cannot be read");
            (String::new(), Failure::maybe_applied(ErrorCode::Unreachable, message))
        }
        SdkError::ServiceError(refusal) => {
            let code = refusal.err().code().unwrap_or_default();
            let message = refusal.err().message().unwrap_or_default();
            let status = refusal.raw().status().as_u16();
            (code.to_owned(), refused(what, status, code, message))
        }
        // The SDK's enum is open: a kind of failure that it may get says nothing of what was done.
        other => {
            let message = format!("{what}: {}", chain(other));
            (String::new(), Failure::maybe_applied(ErrorCode::Unreachable, message))
        }
    };
    CallError { code, failure: Failure { provider_request_id: request_id, ..failure } }
}

/// The request was not even made: mostly because there are no credentials.
fn never_sent(what: &str, error: &(dyn StdError + 'static)) -> Failure {
    let chain = chain(error);
    if chain.contains("credential") || chain.contains("identity") {
        return no_credentials(what, &chain);
    }
    Failure::not_applied(ErrorCode::Internal, format!("{what}: the request cannot be made: {chain}")).permanent()
}

fn no_credentials(what: &str, chain: &str) -> Failure {
    Failure::not_applied(ErrorCode::Credentials, format!("{what}: no credentials for EC2: {chain}")).with_remedy(
        "give the account `accessKeyId` and `secretAccessKey`, or its daemon a profile, environment or instance role",
    )
}

fn no_connection(what: &str, error: &(dyn StdError + 'static)) -> Failure {
    let chain = chain(error);
    if chain.contains("credentials provider") || chain.contains("identity") {
        return no_credentials(what, &chain);
    }
    let message = format!("{what}: EC2 cannot be reached: {chain}");
    let remedy = "see that the daemon's host reaches the endpoint, and that region and endpoint are right";
    if refused_connection(error) || chain.contains("dns error") {
        return Failure::not_applied(ErrorCode::Unreachable, message).with_remedy(remedy);
    }
    Failure::maybe_applied(ErrorCode::Unreachable, message).with_remedy(remedy)
}

/// Whether nobody took the connection, so that no request was sent.
fn refused_connection(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        next = error.source();
    }
    false
}

/// EC2 has answered that it does not do it.
fn refused(what: &str, status: u16, code: &str, said: &str) -> Failure {
    let message = format!("{what}: {}", short(said, code));
    let not_applied = |code| Failure::not_applied(code, message.clone());
    let failure = match code {
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "RequestThrottled"
        | "SlowDown"
        | "ResourceCountExceeded"
        | "EC2ThrottledException"
        | "Client.RequestLimitExceeded" => not_applied(ErrorCode::Throttled),
        "AuthFailure"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "RequestExpired"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "Blocked"
        | "OptInRequired"
        | "PendingVerification"
        | "InvalidAccessKeyId" => not_applied(ErrorCode::Credentials)
            .with_remedy("put the account's credentials right: `muster account update`, then `muster account check`"),
        _ if DENIED.contains(&code) => not_applied(ErrorCode::Credentials)
            .with_remedy("give the account's user the permissions of docs/infrastructure/ec2.md"),
        _ if CAPACITY.contains(&code) => not_applied(ErrorCode::Quota)
            .with_remedy("Muster tries again by itself; more zones or another `instanceType` help sooner"),
        "InstanceLimitExceeded"
        | "VcpuLimitExceeded"
        | "VpcLimitExceeded"
        | "SubnetLimitExceeded"
        | "SecurityGroupLimitExceeded"
        | "RulesPerSecurityGroupLimitExceeded"
        | "InternetGatewayLimitExceeded"
        | "VolumeLimitExceeded"
        | "MaxIOPSLimitExceeded"
        | "AddressLimitExceeded"
        | "MaxSpotInstanceCountExceeded"
        | "KeyPairLimitExceeded"
        | "RouteLimitExceeded"
        | "TagLimitExceeded"
        | "NetworkInterfaceLimitExceeded"
        | "TooManyLoadBalancers"
        | "TooManyTargetGroups"
        | "TooManyTargets"
        | "TooManyListeners" => not_applied(ErrorCode::Quota)
            .with_remedy("raise the quota of the account in AWS Service Quotas, or delete what is not needed"),
        "InsufficientFreeAddressesInSubnet" | "PrivateIpAddressLimitExceeded" => {
            not_applied(ErrorCode::Quota).with_remedy("give the cluster a larger subnet, or more of them")
        }
        "DependencyViolation"
        | "InUse"
        | "VolumeInUse"
        | "IncorrectState"
        | "IncorrectInstanceState"
        | "InvalidGroup.InUse"
        | "ResourceInUse"
        | "Resource.AlreadyAssociated"
        | "ConcurrentModification" => not_applied(ErrorCode::Conflict),
        "IdempotentInstanceTerminated" | "IdempotentParameterMismatch" => not_applied(ErrorCode::Conflict),
        "OperationNotPermitted" => not_applied(ErrorCode::Provider)
            .with_remedy("somebody protects it from termination: switch that off in the EC2 console"),
        "InvalidAMIID.NotFound" => not_applied(ErrorCode::InvalidArgument).permanent(),
        // Just made things are found only after a while, so this may pass.
        _ if code.ends_with("NotFound") => not_applied(ErrorCode::Provider),
        _ if status >= 500 => {
            Failure::maybe_applied(ErrorCode::Provider, format!("{what}: EC2 has trouble: {}", short(said, code)))
        }
        _ if code.starts_with("Invalid") || code.starts_with("Missing") || code.starts_with("Unsupported") => {
            not_applied(ErrorCode::InvalidArgument).permanent()
        }
        _ => not_applied(ErrorCode::Provider),
    };
    if code.is_empty() { failure } else { failure.with_provider_code(code) }
}

/// EC2's own words. What follows an encoded authorization message is for machines.
fn short(said: &str, code: &str) -> String {
    let said = said.split("Encoded authorization failure message").next().unwrap_or_default().trim();
    let said = said.trim_end_matches('.');
    if said.is_empty() { code.to_owned() } else { said.to_owned() }
}

/// An error with all that is below it.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use muster_engine::failure::Certainty;
    use muster_protocol::Retry;

    use super::*;

    fn of(status: u16, code: &str) -> (Certainty, ErrorCode, Retry) {
        let failure = refused("create the VPC", status, code, "said so.");
        assert!(failure.message.contains("create the VPC"));
        assert_eq!(failure.provider_code.as_deref(), Some(code));
        (failure.certainty, failure.code, failure.retry)
    }

    #[test]
    fn a_refusal_is_known_to_have_done_nothing() {
        use Certainty::NotApplied;
        assert_eq!(of(400, "VcpuLimitExceeded"), (NotApplied, ErrorCode::Quota, Retry::Later));
        assert_eq!(of(403, "UnauthorizedOperation"), (NotApplied, ErrorCode::Credentials, Retry::Later));
        assert_eq!(of(400, "DependencyViolation"), (NotApplied, ErrorCode::Conflict, Retry::Later));
        assert_eq!(of(400, "InvalidParameterValue"), (NotApplied, ErrorCode::InvalidArgument, Retry::Never));
        assert_eq!(of(400, "InvalidSubnetID.NotFound"), (NotApplied, ErrorCode::Provider, Retry::Later));
        assert_eq!(of(400, "ResourceInUse"), (NotApplied, ErrorCode::Conflict, Retry::Later));
        assert_eq!(of(400, "TargetGroupNotFound"), (NotApplied, ErrorCode::Provider, Retry::Later));
        assert_eq!(of(403, "AccessDenied"), (NotApplied, ErrorCode::Credentials, Retry::Later));
        assert_eq!(of(400, "SomethingNew"), (NotApplied, ErrorCode::Provider, Retry::Later));
    }

    #[test]
    fn throttling_and_want_of_capacity_come_with_the_status_of_trouble_and_are_refusals_all_the_same() {
        assert_eq!(of(503, "RequestLimitExceeded").0, Certainty::NotApplied);
        assert_eq!(of(503, "RequestLimitExceeded").1, ErrorCode::Throttled);
        assert_eq!(of(500, "InsufficientInstanceCapacity"), (Certainty::NotApplied, ErrorCode::Quota, Retry::Later));
    }

    #[test]
    fn trouble_of_ec2_may_have_done_something() {
        for code in ["InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"] {
            assert_eq!(of(500, code).0, Certainty::MaybeApplied, "{code}");
        }
        assert_eq!(refused("x", 502, "", "").certainty, Certainty::MaybeApplied);
    }

    #[test]
    fn an_encoded_message_for_machines_is_left_out() {
        let said = "You are not authorized to perform this operation. Encoded authorization failure message: AAAA";
        let failure = refused("create the VPC", 403, "UnauthorizedOperation", said);
        assert_eq!(failure.message, "create the VPC: You are not authorized to perform this operation");
    }

    #[test]
    fn a_refused_connection_is_found_below_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("connect")]
        struct Above(#[source] io::Error);
        assert!(refused_connection(&Above(io::Error::from(io::ErrorKind::ConnectionRefused))));
        assert!(!refused_connection(&io::Error::from(io::ErrorKind::ConnectionReset)));
    }
}
