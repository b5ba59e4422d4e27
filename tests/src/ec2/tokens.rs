//! What EC2 does with a `ClientToken` and moto does not: the same call is made once, and another call with the token of an
//! earlier one is refused (User Guide, "Ensuring idempotency in Amazon EC2 API requests").

use std::collections::HashMap;
use std::sync::Mutex;

use super::http::Message;

/// The calls that came with a token.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<Calls>);

/// By token: the call, its answer, and what it made.
type Calls = HashMap<String, (String, Message, Vec<String>)>;

/// What is known of a token.
pub(crate) enum Token {
    /// Nobody has used it.
    New,
    /// The same call was made: its answer, and what it made.
    Same(Message, Vec<String>),
    /// Another call was made with it.
    Other,
}

impl Tokens {
    pub(crate) fn look(&self, token: &str, body: &str) -> Token {
        match self.lock().get(token) {
            None => Token::New,
            Some((earlier, answer, made)) if earlier == body => Token::Same(answer.clone(), made.clone()),
            Some(_) => Token::Other,
        }
    }

    pub(crate) fn keep(&self, token: &str, body: &str, answer: &Message, made: Vec<String>) {
        self.lock().insert(token.to_owned(), (body.to_owned(), answer.clone(), made));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
