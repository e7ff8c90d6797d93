//! The wire types of the Responses API: what a model is asked, what it answers, and the items that a
//! conversation is made of.
//!
//! Three rules shape them. A field is sent on only if somebody set it, so requests keep their fields
//! as the text they came in. An item is parsed once and serialised once: it is shared by reference
//! count between the history, later requests and the record, and its text is copied, never rebuilt.
//! Unknown fields of known items are kept, because the text is.

mod fields;
mod item;
mod request;
mod response;
mod tokens;

pub use fields::Fields;
#[cfg(feature = "parquet")]
pub(crate) use fields::push_json_string;
pub(crate) use fields::push_key;
pub use item::{FunctionCall, Item, ItemError, ItemKind, Role};
pub use request::{CreateParams, ParamsError, Request};
pub use response::{IncompleteReason, Response, ResponseError, Usage};
pub use tokens::{Excised, LogProbs, TokenData, TokenIds};
