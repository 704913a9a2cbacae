<?php

declare(strict_types=1);

$title = $t('nav.members') . ' · ' . $t('site.name');
?>
<main class="wide">
<h1><?= $t('nav.members') ?></h1>
<p class="lead"><?= $t('members.lead') ?></p>
<ul class="people">
<?php foreach ($members as $member) {
    require __DIR__ . '/person.php';
} ?>
</ul>
</main>
