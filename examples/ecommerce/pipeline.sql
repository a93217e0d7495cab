-- ecommerce: what is done with the orders. The tables are in another file, so that the same logic runs
-- on other ones.

EXECUTE STATEMENT SET BEGIN

INSERT INTO order_archive
SELECT
  kafka_partition,
  kafka_offset,
  DATE_FORMAT(order_time, 'yyyy-MM-dd') AS partition_date,
  CAST(HOUR(order_time) AS INT) AS partition_hour,
  order_id,
  order_product_name,
  order_card_type,
  order_amount,
  order_datetime,
  order_country_name,
  order_city_name,
  order_ecommerce_website_name
FROM order_events;

INSERT INTO sales_by_card_type
SELECT order_card_type, SUM(order_amount), COUNT(*)
FROM order_events
WHERE order_card_type IS NOT NULL
GROUP BY order_card_type;

INSERT INTO sales_by_country
SELECT order_country_name, SUM(order_amount), COUNT(*)
FROM order_events
WHERE order_country_name IS NOT NULL
GROUP BY order_country_name;

INSERT INTO orders_per_minute
SELECT window_start, COUNT(*), SUM(order_amount)
FROM TABLE(TUMBLE(TABLE order_events, DESCRIPTOR(order_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end;

END;
