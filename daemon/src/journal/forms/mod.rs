//! How values lie on disk: for each stored value a form of its own.
//!
//! What crosses the socket and what the engine works with change with every release; what lies on disk must be read by
//! all later ones. So each is written as its form, which lists every field by hand. A field that is added elsewhere does
//! not compile until it is decided here: as part of a new schema version with a conversion from the earlier one.

mod account;
mod audit;
mod cause;
mod cluster;
mod earlier;
mod event;
mod kept;
mod ledger;
mod operation;
mod service;
mod token;

use std::collections::BTreeMap;

pub(super) use account::AccountForm;
pub(super) use audit::AuditForm;
pub(super) use cluster::ClusterForm;
pub(super) use earlier::{EarlierOperation, EarlierService};
pub(super) use event::{AnswerForm, EventForm};
pub(super) use kept::KeptForm;
pub(super) use ledger::EntryForm;
pub(super) use operation::OperationForm;
pub(super) use service::ServiceForm;
pub(super) use token::TokenForm;

/// How a value of type `T` lies on disk, or lay there when an earlier release wrote it.
pub(super) trait Readable<T>: Sized {
    /// The value again.
    fn value(self) -> T;
}

/// How a value of type `T` is written.
pub(super) trait Form<T>: Readable<T> {
    /// The form of a value.
    fn of(value: &T) -> Self;
}

impl<T, F: Form<T>> Form<Option<T>> for Option<F> {
    fn of(value: &Option<T>) -> Self {
        value.as_ref().map(F::of)
    }
}

impl<T, F: Readable<T>> Readable<Option<T>> for Option<F> {
    fn value(self) -> Option<T> {
        self.map(F::value)
    }
}

impl<T, F: Form<T>> Form<Vec<T>> for Vec<F> {
    fn of(value: &Vec<T>) -> Self {
        value.iter().map(F::of).collect()
    }
}

impl<T, F: Readable<T>> Readable<Vec<T>> for Vec<F> {
    fn value(self) -> Vec<T> {
        self.into_iter().map(F::value).collect()
    }
}

impl<K: Clone + Ord, T, F: Form<T>> Form<BTreeMap<K, T>> for BTreeMap<K, F> {
    fn of(value: &BTreeMap<K, T>) -> Self {
        value.iter().map(|(key, value)| (key.clone(), F::of(value))).collect()
    }
}

impl<K: Clone + Ord, T, F: Readable<T>> Readable<BTreeMap<K, T>> for BTreeMap<K, F> {
    fn value(self) -> BTreeMap<K, T> {
        self.into_iter().map(|(key, form)| (key, form.value())).collect()
    }
}

/// Values that lie on disk as they are: numbers, texts, ids, and words, whose numbers are never changed.
macro_rules! lies_as_it_is {
    ($($type:ty),+ $(,)?) => {
        $(impl Form<$type> for $type {
            fn of(value: &$type) -> Self {
                value.clone()
            }
        }

        impl $crate::journal::forms::Readable<$type> for $type {
            fn value(self) -> $type {
                self
            }
        })+
    };
}

use lies_as_it_is;

lies_as_it_is!(bool, u16, u32, u64, String);
lies_as_it_is!(muster_protocol::Name, muster_protocol::Timestamp);
lies_as_it_is!(muster_protocol::ClusterId, muster_protocol::OperationId, muster_protocol::ServiceId);
lies_as_it_is!(muster_protocol::quantity::Bytes, muster_protocol::quantity::CpuMillis);

/// A struct's form: the same fields, each in its own form.
macro_rules! form {
    ($(#[$about:meta])* $form:ident of $value:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        pub(in crate::journal) struct $form {
            $($field: $type),+
        }

        impl $crate::journal::forms::Form<$value> for $form {
            fn of(value: &$value) -> Self {
                let $value { $($field),+ } = value;
                Self { $($field: $crate::journal::forms::Form::of($field)),+ }
            }
        }

        impl $crate::journal::forms::Readable<$value> for $form {
            fn value(self) -> $value {
                $value { $($field: $crate::journal::forms::Readable::value(self.$field)),+ }
            }
        }
    };
}

use form;

/// A form that earlier releases wrote and this one only reads: the fields that it had, and what those that came later
/// are for a value of that time.
macro_rules! earlier_form {
    ($form:ident of $value:ident { $($field:ident: $type:ty),+ $(,)? } then { $($later:ident: $was:expr),* $(,)? }) => {
        #[derive(Clone, Debug, serde::Deserialize)]
        pub(in crate::journal) struct $form {
            $($field: $type),+
        }

        impl $crate::journal::forms::Readable<$value> for $form {
            fn value(self) -> $value {
                $value {
                    $($field: $crate::journal::forms::Readable::value(self.$field),)+
                    $($later: $was),*
                }
            }
        }
    };
}

use earlier_form;
