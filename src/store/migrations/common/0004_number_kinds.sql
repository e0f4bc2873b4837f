-- What the numbering plan says of a text. It follows from the text alone: filled as lists need it, and may be
-- emptied at any time.
CREATE TABLE number_kinds (
    number      TEXT {{bytes}} NOT NULL PRIMARY KEY,
    kind        TEXT NOT NULL
                CONSTRAINT number_kinds_kind_is_one_of_the_known CHECK (kind IN ('local', 'toll_free', 'mobile', 'either', 'none')),
    country     TEXT NOT NULL
);
-- The inventory.
CREATE INDEX numbers_inventory ON numbers (state, number) WHERE state IN ('available', 'aging', 'discovery');
