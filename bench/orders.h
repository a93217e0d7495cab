/* orders.h - the orders of the ecommerce example as JSON documents, a function of their number: for
 * benchmarks in C and C++. About 265 bytes each; the time advances by a second every 1,000 orders.
 */
#ifndef LEAT_BENCH_ORDERS_H
#define LEAT_BENCH_ORDERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ORDER_BYTES_MAX 512

static const char *const ORDER_PRODUCTS[13] = {
    "Laptop",       "Desktop Computer", "Mobile Phone",        "Wrist Band",
    "Wrist Watch",  "LAN Cable",        "HDMI Cable",          "TV",
    "TV Stand",     "Text Books",       "External Hard Drive", "Pen Drive",
    "Online Course"};
static const char *const ORDER_CARDS[6] = {"Visa",   "Master", "Maestro", "American Express",
                                           "Cirrus", "PayPal"};
static const char *const ORDER_PLACES[22][2] = {
    {"Australia", "Sydney"},   {"United States", "Florida"}, {"United States", "New York City"},
    {"France", "Paris"},       {"Sri Lanka", "Colombo"},     {"Bangladesh", "Dhaka"},
    {"Pakistan", "Islamabad"}, {"China", "Beijing"},         {"Italy", "Rome"},
    {"Germany", "Berlin"},     {"Canada", "Ottawa"},         {"United Kingdom", "London"},
    {"Israel", "Jerusalem"},   {"Thailand", "Bangkok"},      {"India", "Chennai"},
    {"India", "Bangalore"},    {"India", "Mumbai"},          {"India", "Pune"},
    {"India", "Hyderabad"},    {"India", "Kolkata"},         {"Inida", "New Delhi"},
    {"Singapore", "Singapore"}};
static const char *const ORDER_SITES[4] = {"www.amazon.com", "www.flipkart.com", "www.snapdeal.com",
                                           "www.ebay.com"};

struct order {
    uint64_t id;
    uint32_t product, card, place, site;
    uint32_t amount_cents; /* 5.50 to 555.50 */
    int64_t second;        /* since 1970 */
};

static inline uint64_t order_mix(uint64_t x) /* splitmix64's finaliser */
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline struct order order_make(uint64_t number)
{
    uint64_t r = order_mix(number), s = order_mix(r);
    struct order order;
    order.id = number + 1;
    order.product = (uint32_t)(r % 13);
    order.card = (uint32_t)((r >> 16) % 6);
    order.place = (uint32_t)((r >> 32) % 22);
    order.site = (uint32_t)((r >> 48) % 4);
    order.amount_cents = 550 + (uint32_t)(s % 55001);
    order.second = 1603277950 + (int64_t)(number / 1000);
    return order;
}

/* Writes the document without a NUL; dest has ORDER_BYTES_MAX bytes. */
static inline size_t order_json(const struct order *order, char *dest)
{
    struct tm tm;
    time_t second = (time_t)order->second;
    gmtime_r(&second, &tm);
    return (size_t)snprintf(
        dest, ORDER_BYTES_MAX,
        "{\"order_id\": %llu, \"order_product_name\": \"%s\", \"order_card_type\": \"%s\", "
        "\"order_amount\": %u.%02u, \"order_datetime\": \"%04d-%02d-%02d %02d:%02d:%02d\", "
        "\"order_country_name\": \"%s\", \"order_city_name\": \"%s\", "
        "\"order_ecommerce_website_name\": \"%s\"}",
        (unsigned long long)order->id, ORDER_PRODUCTS[order->product], ORDER_CARDS[order->card],
        order->amount_cents / 100, order->amount_cents % 100, tm.tm_year + 1900, tm.tm_mon + 1,
        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ORDER_PLACES[order->place][0],
        ORDER_PLACES[order->place][1], ORDER_SITES[order->site]);
}

static inline double cpu_seconds(void) /* of all threads of this process */
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
