<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

use InvalidArgumentException;
use WP_REST_Request;
use WP_REST_Response;
use WP_User;

defined('ABSPATH') || exit;

/** User meta: the ID of the last event that was mailed, because the chat server may repeat an event. */
const MAILED = 'php_session_chat_mailed';

add_action('rest_api_init', static function (): void {
    if (defined('PHP_SESSION_CHAT_WEBHOOK_KEY')) {
        register_rest_route('php-session-chat/v1', '/events', [
            'methods' => 'POST',
            'callback' => __NAMESPACE__ . '\receive_event',
            // The signature of the event is the permission.
            'permission_callback' => '__return_true',
        ]);
    }
});

/** Mails a user about unread messages when the chat server sends the event `notify.due`. Ignores other events. */
function receive_event(WP_REST_Request $request): WP_REST_Response
{
    require_once dirname(__DIR__) . '/lib/WebhookError.php';
    require_once dirname(__DIR__) . '/lib/Webhook.php';
    try {
        $event = (new Webhook((string) PHP_SESSION_CHAT_WEBHOOK_KEY))->verify($request->get_body(), [
            'webhook-id' => (string) $request->get_header('webhook-id'),
            'webhook-timestamp' => (string) $request->get_header('webhook-timestamp'),
            'webhook-signature' => (string) $request->get_header('webhook-signature'),
        ]);
    } catch (WebhookError $error) {
        return new WP_REST_Response(['message' => $error->getMessage()], 400);
    } catch (InvalidArgumentException) {
        return new WP_REST_Response(['message' => 'PHP_SESSION_CHAT_WEBHOOK_KEY is not a key.'], 500);
    }
    $user = $event['type'] === 'notify.due' ? user_by_chat_id((string) $event['data']['user']['id']) : null;
    if ($user === null || is_blocked($user) || get_user_meta($user->ID, MAILED, true) === $event['id']) {
        return new WP_REST_Response(null, 204);
    }
    update_user_meta($user->ID, MAILED, $event['id']);
    if (!send_mail($user, $event['data'])) {
        delete_user_meta($user->ID, MAILED);
        return new WP_REST_Response(['message' => 'The mail could not be sent.'], 500);
    }
    return new WP_REST_Response(null, 204);
}

/**
 * @param array{total: int, link?: string, stop?: string, rooms: list<array{kind?: string, name?: string, peer?: string, unread: int, userText: list<string>, link?: string}>} $due
 * @return bool whether WordPress accepted the mail
 */
function send_mail(WP_User $user, array $due): bool
{
    $isSwitched = switch_to_locale(get_user_locale($user));
    $site = wp_specialchars_decode((string) get_option('blogname'), ENT_QUOTES);
    $total = (int) $due['total'];
    /* translators: 1: number of messages, 2: name of the site */
    $subject = sprintf(_n('%1$d unread message at %2$s', '%1$d unread messages at %2$s', $total, 'php-session-chat'), $total, $site);
    $rooms = array_map(
        static fn (array $room): string => name_of_room($room) . ': ' . (int) $room['unread'],
        $due['rooms'],
    );
    // A room opens at its first unread message.
    $link = count($rooms) === 1 ? ($due['rooms'][0]['link'] ?? '') : ($due['link'] ?? '');
    $lines = [
        // Without names, as the user chose, the number in the subject says everything.
        $rooms === [] ? __('You have unread messages in the chat.', 'php-session-chat') : __('You have unread messages in the chat:', 'php-session-chat'),
        ...($rooms === [] ? [] : ['', ...$rooms]),
        '',
        esc_url_raw((string) $link) ?: home_url('/'),
    ];
    $headers = ['Auto-Submitted: auto-generated'];
    $stop = esc_url_raw((string) ($due['stop'] ?? ''));
    if ($stop !== '') {
        /* translators: %s: address */
        array_push($lines, '', sprintf(__('No more mails: %s', 'php-session-chat'), $stop));
        array_push($headers, "List-Unsubscribe: <$stop>", 'List-Unsubscribe-Post: List-Unsubscribe=One-Click');
    }
    if ($isSwitched) {
        restore_previous_locale();
    }
    return wp_mail($user->user_email, $subject, implode("\n", $lines), $headers);
}

/**
 * Describes a room. The chat server omits a name that users chose until this user accepts the room, because it may be
 * advertising, and the name of an erased user.
 *
 * @param array{kind?: string, name?: string, peer?: string, userText: list<string>} $room
 */
function name_of_room(array $room): string
{
    if (($room['name'] ?? '') !== '') {
        if (!in_array('name', $room['userText'], true)) {
            return $room['name'];
        }
        require_once dirname(__DIR__) . '/lib/Webhook.php';
        return Webhook::withoutLinks($room['name']);
    }
    if (($room['kind'] ?? '') !== 'direct') {
        return __('A room that you have not opened yet', 'php-session-chat');
    }
    $peer = user_by_chat_id((string) ($room['peer'] ?? ''));
    // The nicename is part of the addresses of this site, so users cannot write a message into it.
    return $peer === null
        ? __('Direct message', 'php-session-chat')
        /* translators: %s: name of a user */
        : sprintf(__('Direct message from %s', 'php-session-chat'), $peer->user_nicename);
}
