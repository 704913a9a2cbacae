<?php

declare(strict_types=1);

$title = $t('site.name');
?>
<main class="wide">
<section class="hero">
<div>
<h1><?= strtr($t('home.hello'), ['{name}' => '<bdi>' . $e($user->firstname) . '</bdi>']) ?></h1>
<p class="lead"><?= $t('home.lead') ?></p>
<p class="acts"><a class="button" href="/messages"><?= $t('home.talk') ?></a><a class="button quiet" href="/members"><?= $t('home.who') ?></a></p>
</div>
<img src="/pictures/garden.svg" alt="<?= $t('home.picture') ?>" width="560" height="360">
</section>

<section aria-labelledby="week">
<h2 id="week"><?= $t('home.week') ?></h2>
<ul class="events">
<?php foreach (['workshop', 'swap', 'supper'] as $event) : ?>
<li><span class="day"><?= $t("event.$event.day") ?></span><div><h3><?= $t("event.$event") ?></h3><p><?= $t("event.$event.text") ?></p></div></li>
<?php endforeach ?>
</ul>
</section>

<section aria-labelledby="shop">
<h2 id="shop"><?= $t('home.shop') ?></h2>
<ul class="products">
<?php foreach ($products as $product => $price) : ?>
<li class="product">
<img src="/pictures/<?= $e($product) ?>.svg" alt="" width="320" height="220">
<h3><?= $t("product.$product") ?></h3>
<p><?= $t("product.$product.text") ?></p>
<div class="buy"><strong>€<?= $e($price) ?></strong>
<?php if ($canOrder) : ?>
<form method="post" action="/orders"><input type="hidden" name="csrf" value="<?= $e($csrf) ?>"><input type="hidden" name="order" value="<?= $e($order++) ?>"><input type="hidden" name="product" value="<?= $e($product) ?>"><button type="submit" class="button" aria-label="<?= $t('home.order') ?>: <?= $t("product.$product") ?>"><?= $t('home.order') ?></button></form>
<?php endif ?>
</div>
</li>
<?php endforeach ?>
</ul>
</section>

<section aria-labelledby="others">
<h2 id="others"><?= $t('home.others') ?></h2>
<ul class="people">
<?php foreach ($others as $member) {
    require __DIR__ . '/person.php';
} ?>
</ul>
</section>
</main>
