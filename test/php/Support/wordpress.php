<?php

// The functions and constants of WordPress that the plugin's checks use, in the namespace of the plugin.

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

// Without this constant, the files of the plugin exit.
\define('ABSPATH', '/var/www/html/');
const VERSION = '0.1.0';
const COOKIE_DOMAIN = 'example.org';
const COOKIEPATH = '/blog/';
const SITECOOKIEPATH = '/blog/';

function __(string $text): string
{
    return $text;
}

class User
{
    public int $ID = 5;
}

class_alias(User::class, \WP_User::class);

function wp_get_current_user(): \WP_User
{
    return new \WP_User();
}

function current_user_can(string $capability): bool
{
    return true;
}

function get_user_by(string $field, int $value): \WP_User|false
{
    return $value === 5 ? new \WP_User() : false;
}

function is_multisite(): bool
{
    return false;
}

/** @return array<string, mixed> the settings of a site with the button “Ask us” */
function get_option(): array
{
    return ['who' => 'all', 'ask' => true, 'team' => ['shop_manager']];
}

function get_main_site_id(): int
{
    return 1;
}

function sanitize_text_field(string $text): string
{
    return trim($text);
}

function sanitize_hex_color(string $color): string
{
    return $color;
}

function trailingslashit(string $text): string
{
    return rtrim($text, '/') . '/';
}

function untrailingslashit(string $text): string
{
    return rtrim($text, '/');
}

function wp_parse_url(string $url, int $component = -1): array|string|int|false|null
{
    return parse_url($url, $component);
}

function home_url(): string
{
    return 'https://www.Example.org/blog';
}

function add_action(): void
{
}

function add_filter(): void
{
}

require __DIR__ . '/../../../wordpress/includes/texts.php';
require __DIR__ . '/../../../wordpress/includes/settings.php';
require __DIR__ . '/../../../wordpress/includes/tickets.php';
require __DIR__ . '/../../../wordpress/includes/connection.php';
