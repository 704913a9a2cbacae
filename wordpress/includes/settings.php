<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

/** The option of each site: who sees the chat, and how it looks. */
const OPTION = 'php_session_chat';

/**
 * The option with the address of the chat server, whose script runs on every page. A network has a single one, because
 * administrators of its sites may not add scripts.
 */
const SERVER = 'php_session_chat_server';

/** The maximum characters of CHAT_TEAM_TEXT. */
const MAX_HOURS = 200;

/**
 * Returns the settings of a site.
 *
 * @param int $site the ID of a site of the network. 0: this site
 * @return array{who: 'all'|'roles', roles: list<string>, guests: bool, launcher: bool, ask: bool, team: list<string>, hours: string, accent: string, side: 'start'|'end'}
 */
function settings(int $site = 0): array
{
    // WordPress returns false for a damaged value.
    $stored = is_multisite() ? get_blog_option($site, OPTION, null) : get_option(OPTION, null);
    $roles = is_array($stored) && !array_key_exists('who', $stored) ? $stored['roles'] ?? null : null;
    if (is_array($roles)) {
        // Stored before the choice of roles was apart from the list.
        $stored['who'] = $roles === [] ? 'all' : 'roles';
    }
    return read_settings($stored ?? ['who' => 'all', 'launcher' => true]);
}

/**
 * Reads the settings from the stored option, which imports and other programs can write, or from the form. A choice that
 * it cannot read admits nobody.
 *
 * @return array{who: 'all'|'roles', roles: list<string>, guests: bool, launcher: bool, ask: bool, team: list<string>, hours: string, accent: string, side: 'start'|'end'}
 */
function read_settings(mixed $given): array
{
    $given = is_array($given) ? $given : [];
    $isOn = static fn (string $name): bool => in_array($given[$name] ?? false, [true, 1, '1'], true);
    $text = static fn (string $name): string => is_string($given[$name] ?? null) ? sanitize_text_field($given[$name]) : '';
    $listed = static fn (string $name): array =>
        is_array($given[$name] ?? null) ? array_values(array_unique(array_filter($given[$name], 'is_string'))) : [];
    return [
        'who' => ($given['who'] ?? '') === 'all' ? 'all' : 'roles',
        'roles' => $listed('roles'),
        'guests' => $isOn('guests'),
        'launcher' => $isOn('launcher'),
        'ask' => $isOn('ask'),
        'team' => array_values(array_filter($listed('team'), __NAMESPACE__ . '\can_name_team')),
        'hours' => mb_substr($text('hours'), 0, MAX_HOURS),
        'accent' => (string) sanitize_hex_color($text('accent')),
        'side' => ($given['side'] ?? '') === 'start' ? 'start' : 'end',
    ];
}

/** Returns whether CHAT_TEAM can name the role. These two names are roles of the chat, and commas separate entries. */
function can_name_team(string $role): bool
{
    return $role !== '' && !in_array($role, ['admin', 'moderator'], true) && preg_match('/[,\\p{Cc}]/u', $role) === 0;
}

/** Returns the settings of the chat server for the team, as lines of its file. Empty without a team. */
function team_lines(): string
{
    ['team' => $team, 'hours' => $hours, 'guests' => $hasGuests] = settings(get_main_site_id());
    $roles = implode(',', array_map(static fn (string $role): string => "role:$role", $team));
    $lines = [
        setting_line('CHAT_TEAM', $roles),
        ...($hours === '' ? [] : [setting_line('CHAT_TEAM_TEXT', $hours)]),
        ...($hasGuests ? ['CHAT_GUESTS=write'] : []),
    ];
    return $team === [] ? '' : implode("\n", $lines);
}

/** Returns a line of the chat server's settings, with quotes as `php-session-chat init` writes them. */
function setting_line(string $name, string $value): string
{
    if (preg_match('~^[A-Za-z0-9_.,:/@%+-]*$~', $value) === 1) {
        return "$name=$value";
    }
    return $name . '=' . (str_contains($value, "'") ? '"' . addcslashes($value, '"\\`$') . '"' : "'$value'");
}

/** Returns the address of the chat server that an administrator saved. Empty if there is none. */
function stored_server(): string
{
    $stored = get_site_option(SERVER, '');
    return is_string($stored) ? $stored : '';
}

/** Returns the address of the chat server, with a final slash. Empty until it is chosen: then no page shows the chat. */
function server(): string
{
    return clean_server(defined('PHP_SESSION_CHAT_SERVER') ? (string) PHP_SESSION_CHAT_SERVER : stored_server()) ?? '';
}

/** Returns whether the current user may choose the chat server, that is, may add scripts to all pages. */
function may_choose_server(): bool
{
    $manages = current_user_can(is_multisite() ? 'manage_network_options' : 'manage_options');
    return !defined('PHP_SESSION_CHAT_SERVER') && $manages && current_user_can('unfiltered_html');
}

/**
 * Adds a final slash to an address that the owner typed, and returns its host as browsers request it: `xn--…` shows
 * characters that look like others. Returns null if it is not an address.
 */
function clean_server(string $typed): ?string
{
    $typed = trim($typed);
    $isAddress = preg_match('~^(https?://[^\s/?#@"\'<>\\\\]+)?(/[^\s?#"\'<>\\\\]*)?$~', $typed) === 1;
    if ($typed === '' || !$isAddress || str_starts_with($typed, '//')) {
        return null;
    }
    $path = trailingslashit((string) preg_replace('~^https?://[^/]+~', '', $typed));
    $origin = str_starts_with($typed, '/') ? '' : ascii_origin($typed);
    return $origin === null ? null : $origin . $path;
}

/** Returns the origin of an address, as browsers send it. Null if its host is not valid. */
function ascii_origin(string $address): ?string
{
    $parts = wp_parse_url($address);
    $host = (string) ($parts['host'] ?? '');
    if (preg_match('/[^\x21-\x7e]/', $host) === 1) {
        $host = function_exists('idn_to_ascii') ? idn_to_ascii($host, IDNA_NONTRANSITIONAL_TO_ASCII) : false;
    }
    if ($host === '' || $host === false) {
        return null;
    }
    return strtolower("{$parts['scheme']}://$host") . (isset($parts['port']) ? ":{$parts['port']}" : '');
}

/** Returns the origin of the site's pages, as browsers send it. */
function site_origin(): string
{
    return ascii_origin(home_url()) ?? untrailingslashit(home_url());
}

/**
 * Returns whether a page with this slug at the top of the site would have the address of the chat server. Visitors would
 * then get the answer of the chat server instead of the page.
 */
function is_taken_by_server(string $slug): bool
{
    $address = trailingslashit(home_url($slug));
    return server() !== '' && server_url(server()) === server_url((string) wp_parse_url($address, PHP_URL_PATH));
}

/** Returns the complete address of a chat server, with a final slash. */
function server_url(string $server): string
{
    return str_starts_with($server, '/') ? site_origin() . $server : $server;
}

/** Returns the path that `php-session-chat init` proposes. Browsers send the login only to paths below COOKIEPATH. */
function proposed_server(): string
{
    return trailingslashit((string) COOKIEPATH) . 'chat/';
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
    $user = wp_get_current_user();
    if (server() === '' || !$user->exists()) {
        return server() !== '' && settings()['guests'];
    }
    foreach (chosen_roles() as $site => $roles) {
        if (array_intersect($roles, (new \WP_User($user->ID, '', $site))->roles) === []) {
            return false;
        }
    }
    return true;
}

/**
 * Returns the roles of which a user needs one to see the chat of this site. A network of sites has a single chat, so
 * the choice of its main site applies to all sites, and the choice of another site can only narrow it.
 *
 * @return array<int, list<string>> by the ID of the site that chose them. Empty: all users
 */
function chosen_roles(): array
{
    $chosen = [];
    foreach (array_unique([get_main_site_id(), get_current_blog_id()]) as $site) {
        ['who' => $who, 'roles' => $roles] = settings($site);
        $chosen += $who === 'all' ? [] : [$site => $roles];
    }
    return $chosen;
}

/** Sends JSON that neither browsers nor proxies store, and ends the request. */
function send_private_json(mixed $data, int $status = 200): never
{
    // WordPress sets the header again when it ends the request, before version 6.3 to a value that allows storing.
    $setHeader = static fn (array $headers): array => ['Cache-Control' => 'no-store, private'] + $headers;
    add_filter('nocache_headers', $setHeader, PHP_INT_MAX);
    nocache_headers();
    wp_send_json($data, $status);
    exit;
}

// WordPress adds a number to such a slug, as to one that another page has.
add_filter('wp_unique_post_slug_is_bad_flat_slug', static fn (bool $isBad, string $slug): bool =>
    $isBad || is_taken_by_server($slug), 10, 2);
add_filter('wp_unique_post_slug_is_bad_hierarchical_slug', static fn (bool $isBad, string $slug, string $type, int $parent): bool =>
    $isBad || ($parent === 0 && is_taken_by_server($slug)), 10, 4);
// The sites of a network below its address.
add_filter('subdirectory_reserved_names', static fn (array $names): array =>
    server() === '' ? $names : [...$names, basename((string) wp_parse_url(server_url(server()), PHP_URL_PATH))]);
