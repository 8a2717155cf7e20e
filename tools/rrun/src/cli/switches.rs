//! Flags as docker's take them: `--rm`, and `--rm=true` or `--rm=false` as well; of one given twice the last counts.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

/// The flags of a verb, each of whose switches may have a value.
pub struct Switches<T>(pub T);

fn yes_or_no(text: &str) -> Result<bool, String> {
    kit_units::parse_bool(text).ok_or_else(|| "it is true or false".to_owned())
}

fn with_value(arg: Arg) -> Arg {
    let is_bool = arg.get_value_parser().type_id() == std::any::TypeId::of::<bool>();
    if matches!(arg.get_action(), ArgAction::Set) && is_bool {
        return arg.value_parser(yes_or_no);
    }
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        // What follows a flag is its value, a dash or not.
        let takes_all = arg.get_action().takes_values() && !arg.is_positional();
        return if takes_all {
            arg.allow_hyphen_values(true)
        } else {
            arg
        };
    }
    switch(arg)
}

/// A flag that may have a value, yes or no.
pub fn switch(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .value_parser(yes_or_no)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .value_name("BOOL")
        .hide_default_value(true)
        .hide_possible_values(true)
}

impl<T: Args> Args for Switches<T> {
    fn augment_args(command: Command) -> Command {
        T::augment_args(command)
            .args_override_self(true)
            .mut_args(with_value)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command).mut_args(with_value)
    }
}

impl<T: FromArgMatches> FromArgMatches for Switches<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
