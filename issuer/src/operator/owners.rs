//! Owners: people and companies, and how they sign in.

use passport::OwnerId;

use super::{Operator, name_of};
use crate::Error;
use crate::foundation::passwords::{NewPassword, Passwords};
use crate::store::{NewSubject, PasswordSet};
use crate::time::UnixMillis;

/// Longest name an owner signs in by, in characters.
const USER_CHARS_MAX: usize = 64;

impl Operator {
    /// Registers a person or company; its id.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that cannot be one.
    pub async fn add_owner(&self, name: &str) -> Result<String, Error> {
        self.register(NewSubject::Owner { name: name_of(name)? }, "owner").await
    }

    /// Registers a person or company who signs in as `user`; its id.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that cannot be one, or a user name that cannot be one or is another owner's.
    pub async fn add_owner_who_signs_in(&self, name: &str, user: &str, password: NewPassword) -> Result<String, Error> {
        // Before there is an owner; who takes the name in this moment is met below.
        if self.store.access(&user_of(user)?).await?.is_some() {
            return Err(taken(user));
        }
        let id = self.add_owner(name).await?;
        self.set_password(&id, user, password).await?;
        Ok(id)
    }

    /// Lets an owner sign in as `user` with this password, in the place of what counted before; its sessions end.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the owner, [`Error::Invalid`] for a user name that cannot be one or is another owner's.
    pub async fn set_password(&self, owner: &str, user: &str, password: NewPassword) -> Result<(), Error> {
        let owner: OwnerId = owner.parse().map_err(|_| Error::Unknown("owner"))?;
        let user = user_of(user)?;
        let phc = Passwords::new().hash(password).await.map_err(|_| Error::Randomness("password"))?;
        match self.store.set_password(&owner, user.clone(), phc, UnixMillis::now()).await? {
            PasswordSet::Done => Ok(()),
            PasswordSet::UnknownOwner => Err(Error::Unknown("owner")),
            PasswordSet::UserTaken => Err(taken(&user)),
        }
    }
}

fn taken(user: &str) -> Error {
    Error::Invalid(format!("another owner signs in as {user}: choose another --user"))
}

fn user_of(text: &str) -> Result<String, Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
    let fits = (1..=USER_CHARS_MAX).contains(&text.len()) && text.chars().all(allowed);
    let refused =
        || Error::Invalid("a user name is 1 to 64 of A-Z a-z 0-9 . _ @ + - : choose such a --user".to_owned());
    fits.then(|| text.to_ascii_lowercase()).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_one_word_in_lower_case() {
        for (text, expected) in [
            ("Ada", Some("ada")),
            ("ada.l+x@example.com", Some("ada.l+x@example.com")),
            ("", None),
            ("a b", None),
            ("\u{e4}da", None),
            ("a\n", None),
        ] {
            assert_eq!(user_of(text).ok().as_deref(), expected, "{text}");
        }
        assert!(user_of(&"a".repeat(64)).is_ok());
        assert!(user_of(&"a".repeat(65)).is_err());
    }
}
