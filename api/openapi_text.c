/* The document is taken in by the assembler: no generated source, and the served bytes are the
 * file's. */
#include "api/openapi_text.h"

__asm__(".pushsection .rodata\n"
        ".global openapi_text, openapi_text_end, openapi_rules, openapi_rules_end\n"
        ".hidden openapi_text, openapi_text_end, openapi_rules, openapi_rules_end\n"
        "openapi_text:\n"
        ".incbin \"api/openapi.json\"\n"
        "openapi_text_end:\n"
        ".byte 0\n"
        "openapi_rules:\n"
        ".incbin \"build/walls/api/generated/openapi_rules.json\"\n"
        "openapi_rules_end:\n"
        ".byte 0\n"
        ".popsection\n");
