<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

use InvalidArgumentException;
use WP_Error;

defined('ABSPATH') || exit;

add_filter('wp_privacy_personal_data_exporters', static fn (array $all): array => add_tool($all, 'export_chat'));
add_filter('wp_privacy_personal_data_erasers', static fn (array $all): array => add_tool($all, 'erase_chat'));
add_action('admin_init', static function (): void {
    $text = __('Messages and files that you write in our chat are stored on our chat server, with your name, until you or a moderator deletes them. Other members of a room can read them.', 'php-session-chat');
    wp_add_privacy_policy_content(__('Chat', 'php-session-chat'), "<p>$text</p>");
});

/**
 * Adds a tool for personal data, if wp-config.php defines the address and the key of the chat server's API. They are
 * not on the settings page, so that no page shows the key, and no change of the address sends it to another server.
 *
 * @param array<string, array<string, mixed>> $all
 * @return array<string, array<string, mixed>>
 */
function add_tool(array $all, string $callback): array
{
    if (defined('PHP_SESSION_CHAT_API_URL') && defined('PHP_SESSION_CHAT_API_KEY')) {
        $all['php-session-chat'] = [
            'exporter_friendly_name' => __('Chat', 'php-session-chat'),
            'eraser_friendly_name' => __('Chat', 'php-session-chat'),
            'callback' => __NAMESPACE__ . "\\$callback",
        ];
    }
    return $all;
}

/** Returns the client of the API. scripts/wordpress-plugin.ts adds its classes from php/src. */
function api(float $timeout = 20.0): ChatClient
{
    require_once dirname(__DIR__) . '/lib/ChatError.php';
    require_once dirname(__DIR__) . '/lib/ChatClient.php';
    return new ChatClient((string) PHP_SESSION_CHAT_API_URL, (string) PHP_SESSION_CHAT_API_KEY, $timeout);
}

/**
 * Exports everything that the chat stores about the user with this address, except the bytes of files.
 *
 * @return array{data: list<array<string, mixed>>, done: true}|WP_Error
 */
function export_chat(string $address): array|WP_Error
{
    $user = get_user_by('email', $address);
    if ($user === false) {
        return ['data' => [], 'done' => true];
    }
    // Only the account of PHP can read the file, and it exists only for a moment.
    $file = get_temp_dir() . 'php-session-chat-' . bin2hex(random_bytes(16)) . '.zip';
    try {
        $items = api()->exportUser(chat_id($user), $file) ? items_in($file) : [];
    } catch (ChatError | InvalidArgumentException $error) {
        return new WP_Error('php_session_chat', $error->getMessage());
    } finally {
        if (is_file($file)) {
            wp_delete_file($file);
        }
    }
    return ['data' => $items, 'done' => true];
}

/**
 * Converts an archive of the chat server, whose `.jsonl` files have one JSON object a line.
 *
 * @return list<array<string, mixed>> items of the export
 */
function items_in(string $archive): array
{
    $titles = [
        'about.json' => __('Chat', 'php-session-chat'),
        'messages.jsonl' => __('Chat messages', 'php-session-chat'),
        'held.jsonl' => __('Pending chat messages', 'php-session-chat'),
        'scheduled.jsonl' => __('Scheduled chat messages', 'php-session-chat'),
        'reactions.jsonl' => __('Chat reactions', 'php-session-chat'),
        'followed.jsonl' => __('Followed chat threads', 'php-session-chat'),
        'reports.jsonl' => __('Reports in the chat', 'php-session-chat'),
        'pins.jsonl' => __('Pinned chat messages', 'php-session-chat'),
        'acts.jsonl' => __('Chat moderation', 'php-session-chat'),
    ];
    require_once ABSPATH . 'wp-admin/includes/class-pclzip.php';
    $zip = new \PclZip($archive);
    $files = $zip->extract(PCLZIP_OPT_BY_NAME, array_keys($titles), PCLZIP_OPT_EXTRACT_AS_STRING);
    $contents = is_array($files) ? array_column($files, 'content', 'filename') : [];
    $rooms = [];
    foreach (((array) json_decode($contents['about.json'] ?? '', true))['rooms'] ?? [] as $room) {
        $rooms[$room['id']] = $room['name'] ?? $room['id'];
    }
    $items = [];
    foreach (array_intersect_key($contents, $titles) as $name => $content) {
        $entries = $name === 'about.json' ? [$content] : explode("\n", trim($content));
        foreach (array_filter($entries) as $n => $entry) {
            $items[] = [
                'group_id' => "php-session-chat-$name",
                'group_label' => $titles[$name],
                'item_id' => "$name-$n",
                'data' => fields_of((array) json_decode($entry, true), $rooms),
            ];
        }
    }
    return $items;
}

/**
 * @param array<string, mixed> $entry
 * @param array<string, string> $rooms names by ID
 * @return list<array{name: string, value: string}> HTML
 */
function fields_of(array $entry, array $rooms): array
{
    $fields = [];
    foreach ($entry as $name => $value) {
        $html = shown($value, (string) $name, $rooms, '<br>');
        if ($html !== '') {
            $fields[] = ['name' => label_of((string) $name), 'value' => $html];
        }
    }
    return $fields;
}

/** Returns the name of a field for its user. The rare ones stay in English. */
function label_of(string $name): string
{
    $labels = [
        'user' => __('User', 'php-session-chat'),
        'name' => __('Name', 'php-session-chat'),
        'text' => __('Text', 'php-session-chat'),
        'at' => __('Time', 'php-session-chat'),
        'sentAt' => __('Time', 'php-session-chat'),
        'room' => __('Room', 'php-session-chat'),
        'rooms' => __('Rooms', 'php-session-chat'),
        'seq' => __('Number of the message', 'php-session-chat'),
        'files' => __('Files', 'php-session-chat'),
        'emoji' => __('Reaction', 'php-session-chat'),
        'reactions' => __('Reactions', 'php-session-chat'),
        'reason' => __('Reason', 'php-session-chat'),
        'role' => __('Role', 'php-session-chat'),
        'mailAddress' => __('Mail address', 'php-session-chat'),
        'since' => __('Since', 'php-session-chat'),
        'lastHere' => __('Last visit', 'php-session-chat'),
        'blocked' => __('Blocked users', 'php-session-chat'),
        'devices' => __('Devices', 'php-session-chat'),
    ];
    return $labels[$name] ?? ucfirst(strtolower((string) preg_replace('/(?=[A-Z])/', ' $0', $name)));
}

/**
 * @param string $name of the field
 * @param array<string, string> $rooms names by ID
 * @param string $between parts of a list
 * @return string HTML
 */
function shown(mixed $value, string $name, array $rooms, string $between = '; '): string
{
    if (is_bool($value)) {
        return $value ? esc_html__('Yes', 'php-session-chat') : esc_html__('No', 'php-session-chat');
    }
    // Unix milliseconds. No other number of the chat is as large.
    if (is_int($value) && $value > 10 ** 12) {
        return esc_html((string) wp_date(get_option('date_format') . ' ' . get_option('time_format'), intdiv($value, 1000)));
    }
    if (!is_array($value)) {
        $isRoom = in_array($name, ['room', 'opened'], true);
        return esc_html($isRoom ? $rooms[(string) $value] ?? (string) $value : (string) $value);
    }
    if (array_keys($value) === ['id', 'name']) {
        return esc_html((string) $value['name']);
    }
    $parts = [];
    foreach ($value as $key => $part) {
        $text = shown($part, is_int($key) ? $name : $key, $rooms, is_int($key) ? ', ' : '; ');
        $parts[] = is_int($key) ? $text : esc_html(label_of($key)) . ': ' . $text;
    }
    return implode(array_is_list($value) ? $between : ', ', $parts);
}

/** @return array{items_removed: bool, items_retained: bool, messages: list<string>, done: true}|WP_Error */
function erase_chat(string $address): array|WP_Error
{
    $user = get_user_by('email', $address);
    try {
        $isKnown = $user !== false && api()->user(chat_id($user)) !== null;
        if ($isKnown) {
            api()->eraseUser(chat_id($user));
        }
    } catch (ChatError | InvalidArgumentException $error) {
        return new WP_Error('php_session_chat', $error->getMessage());
    }
    $kept = __('Chat messages stay, without the name of their author.', 'php-session-chat');
    return [
        'items_removed' => $isKnown,
        'items_retained' => $isKnown,
        'messages' => $isKnown ? [$kept] : [],
        'done' => true,
    ];
}
