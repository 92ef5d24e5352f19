/* Text for people's terminals. What comes from a server, a skill or a model may hold anything: it
 * is shown, never obeyed. One thread. */
#ifndef C9_CLIENT_TERM_H
#define C9_CLIENT_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum term_keep {
    TERM_CELL, /* one line: a line break or tab becomes a blank */
    TERM_TEXT  /* line breaks and tabs stay */
};

/* Once, before anything is measured: widths need a UTF-8 locale. */
void term_setup(void);

/* Appends s so that no terminal obeys it: C0, DEL and C1 controls as \xNN, marks that reorder text
 * (U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069) and line separators as \u{NNNN}, bytes that
 * are no UTF-8 as \xNN. */
void term_escape(struct buf *out, const char *s, size_t len, enum term_keep keep);
/* The same for JSON text: as \u00NN, so that it stays the same JSON. Line breaks stay. */
void term_escape_json(struct buf *out, const char *s, size_t len);
/* Columns that UTF-8 text without controls takes. */
size_t term_width(const char *s, size_t len);

bool term_is_tty(int fd);
/* Columns of the terminal at fd, or 0 when it is none. */
size_t term_columns(int fd);

enum term_style { TERM_PLAIN, TERM_DIM, TERM_BOLD, TERM_RED, TERM_YELLOW, TERM_GREEN, TERM_BLUE };
/* The sequence that begins a style on fd; "" unless fd is a terminal and NO_COLOR is not set.
 * TERM_PLAIN ends any. */
const char *term_style(int fd, enum term_style style);

/* One line "c9ctl: …" to stderr, its controls escaped. */
void term_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Writes all of it to a descriptor; -1 when it does not take it (a closed pipe, a full disk). */
int term_write(int fd, const char *data, size_t len);

#endif
