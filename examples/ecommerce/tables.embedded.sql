-- ecommerce: where orders come from and where results go, all of it inside one leat: the topic in the
-- embedded broker, the results in a SQLite file, the orders from a generator. For a Kafka cluster, another
-- database or orders of your own only this file changes.

-- Orders as they arrive, JSON, one record each. kafka_partition and kafka_offset are a record's place.
CREATE TABLE order_events (
  order_id BIGINT,
  order_product_name STRING,
  order_card_type STRING,
  order_amount DECIMAL(10, 2),
  order_datetime STRING,
  order_country_name STRING,
  order_city_name STRING,
  order_ecommerce_website_name STRING,
  kafka_partition INT METADATA FROM 'partition' VIRTUAL,
  kafka_offset BIGINT METADATA FROM 'offset' VIRTUAL,
  order_time AS TO_TIMESTAMP(order_datetime),
  WATERMARK FOR order_time AS order_time - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'order-events',
  'properties.bootstrap.servers' = 'embedded',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'leat.bad-rows' = 'skip'
);

-- Every order, once: its place in the topic is its key.
CREATE TABLE order_archive (
  kafka_partition INT,
  kafka_offset BIGINT,
  partition_date STRING,
  partition_hour INT,
  order_id BIGINT,
  order_product_name STRING,
  order_card_type STRING,
  order_amount DECIMAL(10, 2),
  order_datetime STRING,
  order_country_name STRING,
  order_city_name STRING,
  order_ecommerce_website_name STRING,
  PRIMARY KEY (kafka_partition, kafka_offset) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:sqlite:${database:-ecommerce.db}',
  'table-name' = 'order_archive'
);

CREATE TABLE sales_by_card_type (
  card_type STRING,
  total_sales DECIMAL(15, 2),
  orders BIGINT,
  PRIMARY KEY (card_type) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:sqlite:${database:-ecommerce.db}',
  'table-name' = 'sales_by_card_type'
);

CREATE TABLE sales_by_country (
  country STRING,
  total_sales DECIMAL(15, 2),
  orders BIGINT,
  PRIMARY KEY (country) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:sqlite:${database:-ecommerce.db}',
  'table-name' = 'sales_by_country'
);

CREATE TABLE orders_per_minute (
  window_start TIMESTAMP(3),
  orders BIGINT,
  total_sales DECIMAL(15, 2),
  PRIMARY KEY (window_start) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:sqlite:${database:-ecommerce.db}',
  'table-name' = 'orders_per_minute'
);

-- The generator: numbers from datagen, names by position. --var rate=N sets the orders per second.
CREATE TABLE order_numbers (
  order_id BIGINT,
  product INT,
  card_type INT,
  amount DECIMAL(10, 2),
  ordered_at TIMESTAMP_LTZ(3),
  place INT,
  website INT
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '${rate:-10}',
  'fields.order_id.kind' = 'sequence',
  'fields.order_id.start' = '1',
  'fields.order_id.end' = '1000000000000',
  'fields.product.min' = '0',
  'fields.product.max' = '12',
  'fields.card_type.min' = '0',
  'fields.card_type.max' = '5',
  'fields.amount.min' = '5.50',
  'fields.amount.max' = '555.50',
  'fields.place.min' = '0',
  'fields.place.max' = '21',
  'fields.website.min' = '0',
  'fields.website.max' = '3'
);

-- "Inida" is how one of the shops spells it: dirty data is part of the example.
CREATE VIEW placed_orders AS
SELECT
  *,
  SPLIT_INDEX(
    'Sydney,Australia|Florida,United States|New York City,United States|Paris,France|Colombo,Sri Lanka'
    || '|Dhaka,Bangladesh|Islamabad,Pakistan|Beijing,China|Rome,Italy|Berlin,Germany|Ottawa,Canada'
    || '|London,United Kingdom|Jerusalem,Israel|Bangkok,Thailand|Chennai,India|Bangalore,India|Mumbai,India'
    || '|Pune,India|New Delhi,Inida|Hyderabad,India|Kolkata,India|Singapore,Singapore', '|', place) AS city_country
FROM order_numbers;

INSERT INTO order_events
SELECT
  order_id,
  SPLIT_INDEX(
    'Laptop|Desktop Computer|Mobile Phone|Wrist Band|Wrist Watch|LAN Cable|HDMI Cable|TV|TV Stand'
    || '|Text Books|External Hard Drive|Pen Drive|Online Course', '|', product),
  SPLIT_INDEX('Visa|Master|Maestro|American Express|Cirrus|PayPal', '|', card_type),
  amount,
  DATE_FORMAT(ordered_at, 'yyyy-MM-dd HH:mm:ss'),
  SPLIT_INDEX(city_country, ',', 1),
  SPLIT_INDEX(city_country, ',', 0),
  SPLIT_INDEX('www.amazon.com|www.flipkart.com|www.snapdeal.com|www.ebay.com', '|', website)
FROM placed_orders;
