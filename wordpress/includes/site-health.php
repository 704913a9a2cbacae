<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

add_filter('site_status_tests', static function (array $tests): array {
    if (server() !== '') {
        $tests['async']['php-session-chat'] = [
            'label' => __('Chat server', 'php-session-chat'),
            'test' => 'php-session-chat',
            'async_direct_test' => __NAMESPACE__ . '\site_health',
        ];
    }
    return $tests;
});
add_action('wp_ajax_health-check-php-session-chat', static function (): void {
    check_ajax_referer('health-check-site-status');
    if (!current_user_can('view_site_health_checks')) {
        wp_send_json_error(null, 403);
    }
    wp_send_json_success(site_health());
});

/** @return array<string, mixed> the result in the format of Site Health */
function site_health(): array
{
    $found = check_server(server_url(server()));
    $problems = array_values(array_filter($found, static fn (array $each): bool => $each['level'] === 'problem'));
    $first = $problems[0] ?? $found[0];
    $text = '';
    foreach ($problems === [] ? $found : $problems as ['text' => $what, 'advice' => $advice, 'lines' => $lines]) {
        $text .= '<p>' . esc_html($what) . '</p>';
        $text .= $advice === '' ? '' : '<p>' . esc_html($advice) . '</p>';
        $text .= $lines === '' ? '' : '<pre>' . esc_html($lines) . '</pre>';
    }
    $page = esc_url(admin_url('options-general.php?page=php-session-chat'));
    return [
        'label' => $first['text'],
        'status' => $problems === [] ? 'good' : 'critical',
        'badge' => ['label' => __('Chat', 'php-session-chat'), 'color' => 'blue'],
        'description' => $text,
        'actions' => "<a href=\"$page\">" . esc_html__('Test connection', 'php-session-chat') . '</a>',
        'test' => 'php-session-chat',
    ];
}

/**
 * Checks whether this server reaches the chat server, and whether browsers could use it. Only for the stored address,
 * and with a single text for all answers of other programs, because it may be an address inside the network.
 *
 * @return non-empty-list<array<string, string>> findings
 */
function check_server(string $url): array
{
    if (json_of(fetch($url . 'healthz')) !== ['status' => 'ok']) {
        /* translators: %s: address */
        $text = sprintf(__('WordPress finds no chat server at %s.', 'php-session-chat'), isolated($url));
        return [problem($text, __('Test the connection, because browsers may reach it.', 'php-session-chat'))];
    }
    /* translators: %s: address */
    $found = [ok(sprintf(__('The chat server runs at %s.', 'php-session-chat'), isolated($url)))];
    array_push($found, ...missing_parts($url));
    // As browsers do. A request without a connection is refused anyway, but first because of its origin.
    $post = fetch($url . 'socket.io/?EIO=4&transport=polling', ['method' => 'POST', 'headers' => ['Origin' => site_origin()]]);
    if ((json_of($post)['error']['code'] ?? '') === 'origin_not_allowed') {
        $found[] = wrong_origin(site_origin());
    }
    if (wp_remote_retrieve_response_code(fetch($url . 'php-chat.js')) !== 200) {
        $found[] = no_client();
    }
    return $found;
}

/** @return list<array<string, string>> findings about what the chat server at this address lacks to serve users */
function missing_parts(string $url): array
{
    $missing = json_of(fetch($url . 'readyz'))['missing'] ?? [];
    return array_map(
        static fn (string $part): array => missing_part($part),
        array_values(is_array($missing) ? array_filter($missing, 'is_string') : []),
    );
}

/**
 * @param array<string, mixed> $options
 * @return array<string, mixed>|\WP_Error the response
 */
function fetch(string $url, array $options = []): array|\WP_Error
{
    return wp_remote_request($url, ['timeout' => 5, 'redirection' => 0, 'limit_response_size' => 64 * 1024] + $options);
}

/** @return array<string, mixed> the JSON object in a response; empty if there is none */
function json_of(array|\WP_Error $answer): array
{
    $value = is_wp_error($answer) ? null : json_decode(wp_remote_retrieve_body($answer), true);
    return is_array($value) ? $value : [];
}
