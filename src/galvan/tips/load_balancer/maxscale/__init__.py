"""MaxScale as the tip needs it: values, texts and judgements. Written by the book (its documentation and its source); no MaxScale ran here."""
