<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

add_filter('site_status_tests', static function (array $tests): array {
    if (settings()['server'] !== '') {
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
    $found = check_server(server_url(settings()['server']));
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
        'actions' => "<a href=\"$page\">" . esc_html__('Test the connection', 'php-session-chat') . '</a>',
        'test' => 'php-session-chat',
    ];
}
