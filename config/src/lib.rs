//! What an operator writes, as types that cannot hold a wrong value
