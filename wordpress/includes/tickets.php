<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

use InvalidArgumentException;
use WP_Session_Tokens;
use WP_User;

defined('ABSPATH') || exit;

/** The action of admin-ajax.php that issues tickets. A REST route would need a nonce to know the login. */
const TICKET = 'php_session_chat_ticket';

if (defined('PHP_SESSION_CHAT_TICKET_KEY')) {
    add_action('wp_ajax_' . TICKET, __NAMESPACE__ . '\answer_ticket');
    add_action('wp_ajax_nopriv_' . TICKET, __NAMESPACE__ . '\answer_ticket');
    add_action('wp_logout', __NAMESPACE__ . '\end_login');
}

/** Returns where pages fetch tickets. Empty if the chat server reads the logins. */
function ticket_url(): string
{
    return defined('PHP_SESSION_CHAT_TICKET_KEY') ? add_query_arg('action', TICKET, admin_url('admin-ajax.php')) : '';
}

/**
 * Returns CHAT_TICKET_AUDIENCE of the chat server: by default the host of its address.
 *
 * @throws InvalidArgumentException if that host is chosen by the administrators of several networks. All have the key of
 *     wp-config.php, so one network could make tickets for the chat of another, with its own roles.
 */
function ticket_audience(): string
{
    if (!defined('PHP_SESSION_CHAT_TICKET_AUDIENCE') && is_multisite() && get_networks(['count' => true]) > 1) {
        throw new InvalidArgumentException('Define PHP_SESSION_CHAT_TICKET_AUDIENCE in wp-config.php, because this WordPress has several networks.');
    }
    return defined('PHP_SESSION_CHAT_TICKET_AUDIENCE')
        ? (string) PHP_SESSION_CHAT_TICKET_AUDIENCE
        : (string) wp_parse_url(server_url(server()), PHP_URL_HOST);
}

/** Answers with a ticket for the current user, or 401. */
function answer_ticket(): void
{
    // WordPress also lets pages of http:// and of other origins of a network read the answer.
    if (get_http_origin() !== '' && strtolower(get_http_origin()) !== site_origin()) {
        header_remove('Access-Control-Allow-Origin');
        send_private_json(['message' => 'Pages of this origin get no tickets.'], 403);
    }
    $user = wp_get_current_user();
    if (!$user->exists() || !sees_chat() || !may_chat($user)) {
        send_private_json(null, 401);
    }
    require_once dirname(__DIR__) . '/lib/Ticket.php';
    try {
        $ticket = Ticket::make((string) PHP_SESSION_CHAT_TICKET_KEY, [
            'aud' => ticket_audience(),
            'sub' => chat_id($user),
            'name' => wp_specialchars_decode($user->display_name, ENT_QUOTES),
            'mail' => $user->user_email,
            'roles' => ticket_roles($user),
            'sid' => login_id($user->ID),
        ]);
    } catch (InvalidArgumentException $error) {
        send_private_json(['message' => $error->getMessage()], 500);
    }
    send_private_json(['ticket' => $ticket]);
}

/** Returns whether the chat server would admit the user if it read the login. */
function may_chat(WP_User $user): bool
{
    $session = WP_Session_Tokens::get_instance($user->ID)->get(wp_get_session_token()) ?? [];
    // With the plugins User Switching and Login as User, an administrator acts as this user.
    $isImpersonated = isset($session['switched_from_id']) || isset($session['logged_in_from_id']);
    return !$isImpersonated && !is_factor_pending($user) && !is_blocked($user);
}

/** Returns whether WP Cerber waits for the second factor of this login. It also answers requests itself until then. */
function is_factor_pending(WP_User $user): bool
{
    return is_callable(['CRB_2FA', 'get_2fa_data']) && !empty(\CRB_2FA::get_2fa_data($user->ID)['pin']);
}

/** Returns whether the site or one of its plugins blocked the user. */
function is_blocked(WP_User $user): bool
{
    $isSuspended = function_exists('bp_moderation_is_user_suspended') && bp_moderation_is_user_suspended($user->ID);
    // WordPress omits roles from `roles` while bbPress is switched off.
    return $isSuspended || array_key_exists('bbp_blocked', on_main_site($user)->caps)
        || (int) $user->user_status === 1 || !empty($user->spam) || !empty($user->deleted);
}

/** Returns the user with the roles of the main site, which apply in the single chat of a network of sites. */
function on_main_site(WP_User $user): WP_User
{
    return new WP_User($user->ID, '', get_main_site_id());
}

/** @return list<string> the role that the chat server would give the user if it read the login, and the user's own roles */
function ticket_roles(WP_User $user): array
{
    $roles = on_main_site($user)->roles;
    // Roles of plugins can have the names of the chat's roles.
    $own = array_values(array_diff($roles, ['admin', 'moderator']));
    if (in_array('administrator', $roles, true) || (is_multisite() && is_super_admin($user->ID))) {
        return ['admin', ...$own];
    }
    return in_array('editor', $roles, true) ? ['moderator', ...$own] : $own;
}

/**
 * Ends the chat of this browser at its logout. Without the API key, the chat ends when the last ticket expires.
 *
 * @param mixed $user the ID. Some plugins pass nothing
 */
function end_login(mixed $user = 0): void
{
    $hasApi = defined('PHP_SESSION_CHAT_API_URL') && defined('PHP_SESSION_CHAT_API_KEY');
    // All logins without a token share an ID, and must not end together.
    if ((int) $user > 0 && $hasApi && wp_get_session_token() !== '') {
        try {
            api(0.7)->endLogin(login_id((int) $user));
        } catch (ChatError | InvalidArgumentException) {
            return;
        }
    }
}

/** Returns a digest of this browser's login, because scripts of the page can read a ticket. */
function login_id(int $user): string
{
    return hash('sha256', "$user|" . wp_get_session_token());
}
