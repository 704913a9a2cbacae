<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

/** The only option of the plugin. */
const OPTION = 'php_session_chat';

/**
 * Returns the settings. Until the owner saves them, `server` is empty, and the chat is not shown.
 *
 * @return array{server: string, roles: list<string>, guests: bool, launcher: bool, accent: string, side: string}
 */
function settings(): array
{
    $defaults = ['server' => '', 'roles' => [], 'guests' => false, 'launcher' => true, 'accent' => '', 'side' => 'end'];
    $stored = get_option(OPTION);
    return is_array($stored) ? array_merge($defaults, array_intersect_key($stored, $defaults)) : $defaults;
}

/** Adds a final slash to an address that the owner typed. Returns null if it is not an address. */
function clean_server(string $typed): ?string
{
    $typed = trim($typed);
    $isAddress = preg_match('~^(https?://[^\s/?#@"\'<>\\\\]+)?(/[^\s?#"\'<>\\\\]*)?$~', $typed) === 1;
    return $typed !== '' && $isAddress && !str_starts_with($typed, '//') ? trailingslashit($typed) : null;
}

/** Returns the origin of the site's pages, as browsers send it. */
function site_origin(): string
{
    $home = wp_parse_url(home_url());
    return strtolower("{$home['scheme']}://{$home['host']}") . (isset($home['port']) ? ":{$home['port']}" : '');
}

/** Returns the complete address of the chat server, with a final slash. */
function server_url(string $server): string
{
    return str_starts_with($server, '/') ? site_origin() . $server : $server;
}

/** Returns the ID of a user in the chat. The chat server finds the same in the login of WordPress. */
function chat_id(\WP_User $user): string
{
    return (string) $user->ID;
}

/** Returns the user with an ID of the chat. Null if WordPress has none. */
function user_by_chat_id(string $id): ?\WP_User
{
    $user = ctype_digit($id) ? get_user_by('id', (int) $id) : false;
    return $user !== false && chat_id($user) === $id ? $user : null;
}

/** Returns whether the current user or visitor sees the chat. Without tickets, the chat server also admits others. */
function sees_chat(): bool
{
    ['server' => $server, 'roles' => $roles, 'guests' => $guests] = settings();
    $user = wp_get_current_user();
    if ($server === '' || !$user->exists()) {
        return $server !== '' && $guests;
    }
    return $roles === [] || array_intersect($roles, $user->roles) !== [];
}
