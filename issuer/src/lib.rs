//! The issuer: signs passports
