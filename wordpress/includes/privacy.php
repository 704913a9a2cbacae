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
    $items = [];
    foreach (is_array($files) ? $files : [] as ['filename' => $name, 'content' => $content]) {
        $entries = $name === 'about.json' ? [$content] : explode("\n", trim($content));
        foreach (array_filter($entries) as $n => $entry) {
            $items[] = [
                'group_id' => "php-session-chat-$name",
                'group_label' => $titles[$name],
                'item_id' => "$name-$n",
                'data' => fields_of((array) json_decode($entry, true)),
            ];
        }
    }
    return $items;
}

/**
 * @param array<string, mixed> $entry
 * @return list<array{name: string, value: string}>
 */
function fields_of(array $entry): array
{
    $fields = [];
    foreach ($entry as $name => $value) {
        if (in_array($name, ['at', 'since', 'until', 'lastHere', 'editedAt'], true) && is_numeric($value)) {
            $value = wp_date('c', intdiv((int) $value, 1000));
        }
        $text = is_string($value) ? $value : wp_json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
        $fields[] = ['name' => $name, 'value' => esc_html((string) $text)];
    }
    return $fields;
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
