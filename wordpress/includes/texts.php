<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

// Before the block is registered, whose title is translated.
add_action('init', __NAMESPACE__ . '\load_texts', 1);
add_action('change_locale', __NAMESPACE__ . '\load_texts');

/** Loads the texts of a locale, by default of the current one. WordPress itself finds no variants, such as de_AT. */
function load_texts(mixed $locale = ''): void
{
    $locale = is_string($locale) && $locale !== '' ? $locale : determine_locale();
    unload_textdomain('php-session-chat', true);
    $file = language_file($locale);
    if ($file !== null) {
        load_textdomain('php-session-chat', $file, $locale);
    }
}

/** Returns the file of the locale, otherwise of its language. Null if there is none. */
function language_file(string $locale): ?string
{
    $start = dirname(__DIR__) . '/languages/php-session-chat-';
    $language = preg_replace('/[^a-z].*/s', '', $locale);
    // The texts in Chinese have simplified characters.
    $ofLanguage = preg_match('/^zh_(TW|HK|MO)/', $locale) === 1 ? [] : [...glob("$start$language.mo"), ...glob("{$start}{$language}_*.mo")];
    return is_file("$start$locale.mo") ? "$start$locale.mo" : ($ofLanguage[0] ?? null);
}

/** Isolates an address, a host or a name from a text of the other direction, such as an Arabic one. */
function isolated(string $text): string
{
    return "\u{2068}$text\u{2069}";
}
