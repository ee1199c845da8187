//! Closed sets of words: a type for each set, made from a table of its words.
//!
//! A set that is a type is matched exhaustively, so the compiler names every place that a new
//! word has to be added to. `named!` makes the type from the table, so none of its words can be
//! missing from `ALL`.

/// A value of a closed set, each of which has a word of its own.
pub trait Named: Copy + PartialEq + 'static {
    /// All of them, in the order in which they are shown.
    const ALL: &'static [Self];

    /// The word for it, the same in the text, the JSON and the docs.
    fn name(self) -> &'static str;

    /// The value with this word; `None`: there is none.
    fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }
}

/// The words of a set, in order.
pub fn names<T: Named>() -> Vec<&'static str> {
    T::ALL.iter().map(|it| it.name()).collect()
}

/// Makes an enum with `ALL`, `name()` and [`Named`] from a table of variants and their words.
macro_rules! named {
    (
        $(#[$meta:meta])*
        $visible:vis enum $type:ident {
            $($(#[$about:meta])* $variant:ident $name:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $visible enum $type { $($(#[$about])* $variant,)+ }

        impl $type {
            /// All of them, in the order in which they are shown.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The word for it, the same in the text, the JSON and the docs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl $crate::named::Named for $type {
            const ALL: &'static [Self] = &Self::ALL;

            fn name(self) -> &'static str {
                self.name()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(crate) use named;
