//! What a learner reads of a step, in each language: [`Saying`]s come from tables that [`sayings!`](crate::sayings) makes, where a
//! row without one of its languages does not compile.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A language that steps are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Lang {
    /// The language of messages that the environment asks for: `LC_ALL`, else `LC_MESSAGES`, else `LANG` (locale(7)).
    pub fn from_env() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(set)
            .map_or(Self::En, |locale| Self::of_locale(&locale))
    }

    fn of_locale(locale: &str) -> Self {
        let language = locale
            .split(['_', '-', '.', '@'])
            .next()
            .unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") {
            Self::Zh
        } else {
            Self::En
        }
    }
}

impl FromStr for Lang {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is = |name: &str| text.split(['_', '-', '.']).next() == Some(name);
        match () {
            () if is("en") || is("C") => Ok(Self::En),
            () if is("zh") => Ok(Self::Zh),
            () => Err("no such language here: en or zh".to_owned()),
        }
    }
}

/// What a step is part of: the heading that it is told under. Closed, so that each has its name in each language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The image's layers.
    Image,
    /// The container's files.
    Files,
    /// The cgroup.
    Cgroup,
    /// The namespaces.
    Namespaces,
    /// The network.
    Network,
    /// The root of its files, and what is mounted there.
    Root,
    /// Who the program is, and what it may do.
    Identity,
    /// The program.
    Program,
}

impl Part {
    /// The heading.
    pub fn text(self, lang: Lang) -> &'static str {
        let (en, zh) = match self {
            Self::Image => ("the image's layers", "镜像的层"),
            Self::Files => ("the container's files", "容器的文件"),
            Self::Cgroup => ("the cgroup", "cgroup"),
            Self::Namespaces => ("the namespaces", "命名空间"),
            Self::Network => ("the network", "网络"),
            Self::Root => ("the root", "根文件系统"),
            Self::Identity => ("who it is", "它是谁"),
            Self::Program => ("the program", "程序"),
        };
        match lang {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }
}

/// One line for a learner, what is done before why, in each language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saying {
    /// The heading that it is told under.
    pub part: Part,
    en: Cow<'static, str>,
    zh: Cow<'static, str>,
}

impl Saying {
    /// In English and in Chinese, under a heading.
    pub fn new(
        part: Part,
        en: impl Into<Cow<'static, str>>,
        zh: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (en, zh) = (en.into(), zh.into());
        Self { part, en, zh }
    }

    /// The same under another heading.
    #[must_use]
    pub fn under(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    /// In that language.
    pub fn text(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }
}

/// In English: what `--trace` says, whatever the locale.
impl fmt::Display for Saying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

/// A table of [`Saying`]s: under each heading a function a row, with its arguments, its English and its 中文.
///
/// ```
/// mod says {
///     kit_plan::sayings! {
///         Network {
///             create(name): "Make link {name}: a cable", "创建网卡 {name}：一根网线";
///             lo(): "Raise lo: programs reach each other on 127.0.0.1", "启用 lo：程序经 127.0.0.1 互相访问";
///         }
///     }
/// }
/// assert_eq!(says::create("eth0").text(kit_plan::Lang::En), "Make link eth0: a cable");
/// ```
#[macro_export]
macro_rules! sayings {
    ($($part:ident { $($name:ident($($arg:ident),*): $en:literal, $zh:literal;)* })*) => {
        $($(
            pub(crate) fn $name($($arg: impl ::std::fmt::Display),*) -> $crate::Saying {
                $crate::Saying::new($crate::Part::$part, format!($en), format!($zh))
            }
        )*)*
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_names_its_language() {
        let of = |locale: &str| Lang::of_locale(locale);
        assert_eq!(of("zh_CN.UTF-8"), Lang::Zh);
        assert_eq!(of("zh-TW"), Lang::Zh);
        for other in ["C.UTF-8", "en_GB", "zhuang", ""] {
            assert_eq!(of(other), Lang::En, "{other}");
        }
    }
}
