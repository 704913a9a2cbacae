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
    if ($user === null || get_user_meta($user->ID, MAILED, true) === $event['id']) {
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
 * @param array{total: int, stop?: string, rooms: list<array{name?: string, unread: int, userText: list<string>}>} $due
 * @return bool whether WordPress accepted the mail
 */
function send_mail(WP_User $user, array $due): bool
{
    $isSwitched = switch_to_locale(get_user_locale($user));
    $site = wp_specialchars_decode((string) get_option('blogname'), ENT_QUOTES);
    $total = (int) $due['total'];
    /* translators: 1: number of messages, 2: name of the site */
    $subject = sprintf(_n('%1$d unread message at %2$s', '%1$d unread messages at %2$s', $total, 'php-session-chat'), $total, $site);
    $lines = [__('You have unread messages in the chat:', 'php-session-chat'), ''];
    foreach ($due['rooms'] as $room) {
        // A name that users chose is absent until this user accepts the room, because it may be advertising.
        if (isset($room['name'])) {
            // Prevents mail programs from turning addresses in a name into links.
            $isUserText = in_array('name', $room['userText'], true);
            $name = $isUserText ? preg_replace('/[.:@](?=\S)/u', '$0 ', $room['name']) : $room['name'];
            $lines[] = "$name: " . (int) $room['unread'];
        }
    }
    array_push($lines, '', home_url('/'));
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
