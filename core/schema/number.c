/* Numbers compare exactly, whether they came as integers or reals; multiples are decided in
 * decimal, since 0.0075 is a multiple of 0.0001 for whoever wrote it. */
#include <math.h>
#include <string.h>

#include "schema/schema-private.h"

static int integer_against_real(json_int_t i, double r)
{
    if (r >= 0x1p63)
        return -1;
    if (r < -0x1p63)
        return 1;
    json_int_t whole = (json_int_t)r; /* towards zero */
    if (i != whole)
        return i < whole ? -1 : 1;
    double fraction = r - (double)whole;
    return (fraction < 0) - (fraction > 0);
}

int number_compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a)) {
        json_int_t i = json_integer_value(a);
        if (json_is_real(b))
            return integer_against_real(i, json_real_value(b));
        json_int_t j = json_integer_value(b);
        return (i > j) - (i < j);
    }
    double r = json_real_value(a);
    if (json_is_integer(b))
        return -integer_against_real(json_integer_value(b), r);
    double s = json_real_value(b);
    return (r > s) - (r < s);
}

bool number_is_integer(const json_t *value)
{
    if (json_is_integer(value))
        return true;
    return json_is_real(value) && json_real_value(value) == floor(json_real_value(value));
}

/* The shortest decimal that reads back as r; sign dropped. */
static struct decimal real_decimal(double r)
{
    char text[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision - 1, fabs(r));
        if (strtod(text, NULL) == fabs(r))
            break;
    }
    struct decimal d = {0};
    const char *s = text;
    bool fraction = false;
    for (; *s != '\0' && *s != 'e'; s++) {
        if (*s < '0' || *s > '9') { /* the locale's decimal point */
            fraction = true;
            continue;
        }
        d.digits = d.digits * 10 + (uint64_t)(*s - '0');
        d.exponent -= fraction;
    }
    if (*s == 'e')
        d.exponent += atoi(s + 1);
    return d;
}

struct decimal number_decimal(const json_t *value)
{
    struct decimal d = {0};
    if (json_is_integer(value)) {
        json_int_t i = json_integer_value(value);
        d.digits = i < 0 ? -(uint64_t)i : (uint64_t)i;
    } else {
        d = real_decimal(json_real_value(value));
    }
    while (d.digits != 0 && d.digits % 10 == 0) {
        d.digits /= 10;
        d.exponent++;
    }
    return d;
}

static uint64_t power_modulo(uint64_t base, unsigned power, uint64_t modulus)
{
    unsigned __int128 result = 1 % modulus, b = base % modulus;
    for (; power > 0; power >>= 1) {
        if (power & 1)
            result = result * b % modulus;
        b = b * b % modulus;
    }
    return (uint64_t)result;
}

bool number_is_multiple(const json_t *value, struct decimal divisor)
{
    if (divisor.exponent == 0 && json_is_integer(value)) {
        json_int_t i = json_integer_value(value);
        return (i < 0 ? -(uint64_t)i : (uint64_t)i) % divisor.digits == 0;
    }
    struct decimal d = number_decimal(value);
    if (d.digits == 0)
        return true;
    int shift = d.exponent - divisor.exponent;
    if (shift >= 0) {
        unsigned __int128 rest = d.digits % divisor.digits;
        return rest * power_modulo(10, (unsigned)shift, divisor.digits) % divisor.digits == 0;
    }
    /* d = k * digits * 10^-shift would make d.digits a multiple of ten, and trailing zeros are
     * gone. */
    return false;
}
